"""Comparing runs from their folders, whole, half-finished, and not comparable."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from factories import changed

from pipeline.blend import blend_runs
from pipeline.compare import compare_runs
from pipeline.config.config_json import to_json
from pipeline.config.errors import UserError
from pipeline.config.text import printable
from pipeline.records import opened_runs
from pipeline.records.opened_runs import load_data, open_run
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record
from pipeline.report import page


def comparison(folder):
    return json.loads(folder.comparison.read_text())


def test_a_real_run(finished, csv_source, tmp_path, capsys):
    before = sorted(finished[0].rglob("*"))
    out = compare_runs([finished[0]], tmp_path / "out")
    ours, theirs = comparison(out), comparison(RunFolder(finished[0]))
    for measure in ("wrong_probability", "log_loss"):  # one of predictions in half precision
        one, other = (found["paired"][0].pop(measure) for found in (ours, theirs))
        assert one["mean"] == pytest.approx(other["mean"], rel=1e-2)
    assert ours == theirs
    assert ours["fairness"]["fair"] == [["swish", "relu"]]
    assert sorted(finished[0].rglob("*")) == before
    assert "no verdict: it takes 3 pairs" in capsys.readouterr().out
    assert "swish" in out.report.read_text()


def test_a_half_finished_run_says_that_it_is(make_run, tiny, capsys):
    folder = make_run(replace(tiny, seeds=3), "relu-s2-f0", "swish-s2-f0", "swish-s1-f0")
    out = compare_runs([folder])
    told = "Half-finished: 3 of 6 networks are missing"
    assert told in capsys.readouterr().out
    assert told in out.report.read_text()
    (paired,) = comparison(out)["paired"]
    assert len(paired["points"]) == 1
    assert out.path.parent == Path("runs")


def test_runs_that_differ_in_seeds_or_arms_alone_are_one_study(make_run, tiny):
    swish, relu = (make_run(replace(tiny, arms=(arm,), seeds=2)) for arm in ("swish", "relu"))
    out = compare_runs([relu, swish])
    (paired,) = comparison(out)["paired"]
    assert (paired["first"], paired["second"], len(paired["points"])) == ("swish", "relu", 2)


def test_runs_that_differ_in_the_training_are_arms_of_their_own(make_run, tiny):
    fast = changed(tiny, name="fast", precision="mixed_bfloat16")
    out = compare_runs(
        [make_run(replace(tiny, arms=("relu",))), make_run(replace(fast, arms=("relu",)))],
    )
    (paired,) = comparison(out)["paired"]
    assert (paired["first"], paired["second"]) == ("relu (fast)", "relu (tiny)")


def test_arms_can_be_chosen(make_run, tiny):
    run = make_run(replace(tiny, arms=("relu", "swish", "elu"), seeds=2), "relu-s0-f0")
    whole = compare_runs([run])
    out = compare_runs([run], arms=["swish", "elu"])
    assert len(comparison(whole)["paired"]) == 3  # its record is left as it is
    (paired,) = comparison(out)["paired"]
    assert (paired["first"], paired["second"], len(paired["points"])) == ("elu", "swish", 2)
    assert "Half-finished" not in out.report.read_text()
    with pytest.raises(UserError, match="--arms names mish, but the arms of these runs are relu, swish, elu"):
        compare_runs([run], arms=["swish", "mish"])


def test_a_comparison_never_takes_the_place_of_a_run_or_a_blend(make_run, tiny, tmp_path):
    run, other = make_run(tiny), make_run(changed(tiny, epochs=9))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    blend = blend_runs([run, other], tmp_path / "blend").path
    for folder in (run, blend):
        with pytest.raises(UserError, match=f"the folder {folder} is not empty and holds no comparison. Choose"):
            compare_runs([other], folder)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    own = compare_runs([run], tmp_path / "own")
    assert compare_runs([other], own.path) == own  # in place of the earlier one


def test_a_comparison_that_was_cut_off_is_made_by_the_same_command(make_run, tiny, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    run = make_run(tiny)
    with monkeypatch.context() as patch:
        patch.setattr(page, "render_report", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare_runs([run])
    assert compare_runs([run]).report.exists()


def test_with_labels_it_has_a_folder_of_its_own(make_run, tiny, digits, tmp_path):
    labels = tmp_path / "labels.csv"
    pd.DataFrame({"ImageId": digits.image_ids, "Label": digits.labels[:30]}).to_csv(labels, index=False)
    run = make_run(tiny)
    assert compare_runs([run]).path != compare_runs([run], labels=labels).path


def test_a_file_is_no_runs_folder(make_run, tiny):
    run = make_run(tiny)
    for act in (compare_runs, blend_runs):
        with pytest.raises(UserError, match=f"config.json is a file. Name the run's folder: {run}"):
            act([run / "config.json", run])


def test_what_an_earlier_command_with_other_arms_left_counts_too(make_run, tiny):
    run = make_run(replace(tiny, arms=("relu", "swish", "elu"), seeds=2), "elu-s1-f0")
    fewer = replace(tiny, arms=("relu", "swish"), seeds=1)  # as if the last command had named no more
    (run / "config.json").write_text(to_json(fewer))
    (run / "members" / "swish-s1-f0" / "model.keras").write_text("damaged")
    (run / "members" / "relu-s1-f0").rename(run / "members" / "elu-s7-f0")  # a name that is not its own
    out = compare_runs([run])
    assert {arm["activation"]: arm["members"] for arm in comparison(out)["arms"]} == {"relu": 1, "swish": 1, "elu": 1}
    assert "Half-finished" not in out.report.read_text()


def test_what_cannot_be_compared_is_said(make_run, tiny, tmp_path):
    ours = make_run(tiny)
    with pytest.raises(UserError, match=r"they differ in folds \(5 and 4\), split_seed \(0 and 1\)"):
        compare_runs([ours, make_run(changed(tiny, folds=4, split_seed=1))])
    other = make_run(tiny)
    with pytest.raises(UserError, match="relu-s0-f0 is in two of the runs"):
        compare_runs([ours, other])
    (other / "data.json").write_text('{"sha256": "0123456789", "source": "x"}')
    with pytest.raises(UserError, match=r"trained on different data \(.{8} and 01234567\)"):
        compare_runs([ours, other])
    with pytest.raises(UserError, match="is not the data of"):
        compare_runs([other])
    (other / "data.json").write_text("{")
    with pytest.raises(UserError, match=r"data.json is damaged"):
        compare_runs([other])
    shutil.rmtree(ours / "members")
    with pytest.raises(UserError, match="none of the networks is finished"):
        compare_runs([ours])
    with pytest.raises(UserError, match=r"nowhere is no run's folder"):
        compare_runs([tmp_path / "nowhere"])


@pytest.mark.parametrize("name", ["a{}b", "{0.x}", "$x^2$", "[bold]x", "caf\udce9", "\x1b[31m", "two\nlines"])
def test_folders_of_any_name_are_compared_and_blended(name, make_run, tiny, tmp_path):
    odd = make_run(tiny).rename(tmp_path / name)
    other = make_run(changed(tiny, architecture="deotte"))  # runs of one name are told apart by their folders
    assert [arm["activation"] for arm in comparison(compare_runs([odd, other]))["arms"]][:2] == [
        f"relu ({printable(name)})", f"swish ({printable(name)})",
    ]  # fmt: skip
    blend = blend_runs([odd, other], out=tmp_path / f"blend of {name}")
    assert read_submission_record(blend).runs[name] == str(odd)


def test_a_run_that_was_moved_finds_its_data_above_its_folder(make_run, tiny, tmp_path, monkeypatch):
    run = make_run(replace(tiny, data="digits/all.zip"))
    seen = []
    monkeypatch.setattr(opened_runs, "load", lambda where, load=opened_runs.load: seen.append(where) or load(where))
    monkeypatch.chdir("/")
    with pytest.raises(UserError, match="trained on digits/all.zip, which is neither here nor above .*--data"):
        load_data([open_run(RunFolder(run))], None)
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "all.zip").touch()
    load_data([open_run(RunFolder(run))], None)
    assert seen == [str(tmp_path / "digits" / "all.zip")]
