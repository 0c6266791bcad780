"""Blending runs from their folders: by hand-computed votes, and what does not fit."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories import changed, make_member

from pipeline.blend import blend_runs
from pipeline.cli import main
from pipeline.config.errors import UserError
from pipeline.config.schema import member_specs
from pipeline.data.submission_file import check_submission
from pipeline.evidence.contributions import judge_blend
from pipeline.records.atomic import file_sha256
from pipeline.records.members import MANIFEST
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record


def test_every_network_has_one_vote(make_run, tiny, digits, capsys):
    ghouzam = make_run(replace(tiny, seeds=2, folds_used=2))
    residual = make_run(changed(tiny, name="other", architecture="residual", folds=4, arms=("relu",)))
    out = blend_runs([ghouzam, residual])
    check_submission(out.submission, np.arange(1, 31))
    arrays = [np.load(path) for run in (ghouzam, residual) for path in run.glob("members/*/test_probabilities.npy")]
    assert len(arrays) == 9
    votes = np.mean(np.float64(arrays), axis=0).argmax(axis=1)
    assert pd.read_csv(out.submission)["Label"].tolist() == votes.tolist()
    record = json.loads(out.submission_record.read_text())
    assert list(record["members"]) == ["tiny", "other"]
    assert [len(ids) for ids in record["members"].values()] == [8, 1]
    assert record["scores"]["networks"] == 9
    printed = capsys.readouterr().out
    assert "9 networks of 2 runs vote." in printed
    assert "half-finished" not in printed


def test_what_a_run_adds_by_hand(make_run, tiny, digits):
    """Ten images; run a reads the first six right, b the last seven; c is surer than either on image 9 and wrong."""

    truth = digits.labels[:10].astype(int)
    spec = member_specs(tiny)[0]

    def members(right, sure):
        probabilities = np.full((10, 10), (1 - sure) / 9)
        probabilities[np.arange(10), np.where(right, truth, (truth + 1) % 10)] = sure
        return [make_member(spec, rows=np.arange(10), validation=probabilities)]

    image = np.arange(10)
    runs = {"a": members(image < 6, 0.5), "b": members(image >= 3, 0.6), "c": members(image != 9, 0.9)}
    blend = judge_blend(runs, digits)
    assert (blend.where, blend.networks, blend.whole.images, blend.whole.errors) == ("validation", 3, 10, 1)
    assert [run.alone.errors for run in blend.contributions] == [4, 3, 1]
    # Without a, b and c disagree on images 0 to 2 and 9: c is surer. Without b the same. Without c, b is surer.
    assert [run.saved_errors for run in blend.contributions] == [0, 0, 2]
    # In errors: 1.96 standard deviations, of 3 readings for and 1 against, or by the rule of three where none differs.
    for run, half_width in zip(blend.contributions, (1.96 * 2**0.5, 1.96 * 2**0.5, 1.96 * 3.6**0.5), strict=True):
        assert run.interval == pytest.approx((run.saved_errors - half_width, run.saved_errors + half_width), rel=1e-3)


def test_half_finished_runs_vote_with_what_they_have_and_it_is_said(make_run, tiny, capsys):
    half = make_run(replace(tiny, seeds=2), "relu-s1-f0", "swish-s1-f0")
    whole = make_run(changed(tiny, name="other", folds=0, folds_used=0))
    out = blend_runs([half, whole])
    printed = capsys.readouterr().out
    told = "".join(printed.split())
    missing = half / "members/relu-s1-f0" / MANIFEST
    assert f"tinyishalf-finished:2ofits4networksvote,as{missing}ismissing" in told
    assert re.search(r"  tiny +2\n", printed)
    assert "notknown:therunssharenovalidationrows" in told
    record = read_submission_record(out)
    assert (record.scores, record.missing, record.voters) == (None, 2, 4)


def test_a_blend_that_is_cut_off_can_be_given_again(make_run, tiny, monkeypatch):
    runs = [make_run(tiny), make_run(changed(tiny, name="other", architecture="deotte"))]
    with monkeypatch.context() as broken:
        broken.setattr("pipeline.ensemble.submission.record_submission", interrupt)
        with pytest.raises(KeyboardInterrupt):
            blend_runs(runs, out=Path("mine"))
    assert not list(Path("mine").iterdir())
    out = blend_runs(runs, out=Path("mine"))
    out.submission.unlink()  # as if it had been cut off between the two files
    assert read_submission_record(blend_runs(runs, out=Path("mine"))).sha256 == file_sha256(out.submission)


def interrupt(*_):
    raise KeyboardInterrupt


def test_what_does_not_fit_is_said(make_run, tiny, tmp_path):
    ours = make_run(tiny)
    with pytest.raises(UserError, match="blend takes two or more runs"):
        blend_runs([ours])
    other = make_run(replace(tiny, name="other"))
    with pytest.raises(UserError, match=rf"the same run is named twice: {ours}$"):
        blend_runs([ours, other, ours])
    alike = make_run(tiny)
    told = rf"{alike} adds no network: {ours} has relu-s0-f0, swish-s0-f0 too, trained alike. Leave it out."
    with pytest.raises(UserError, match=told):
        blend_runs([ours, alike])
    shutil.rmtree(other / "members")
    with pytest.raises(UserError, match="has no finished network"):
        blend_runs([ours, other])
    RunFolder(other).data.unlink()
    RunFolder(other).push.touch()
    with pytest.raises(UserError, match=r"is not fetched yet: python -m pipeline fetch .*other"):
        blend_runs([ours, other])


def test_a_network_of_two_runs_votes_once(make_run, tiny, capsys):
    """A kernel that trained the ReLU networks of a local run too."""
    local, kernel = make_run(tiny), make_run(replace(tiny, name="kernel", arms=("relu",), seeds=2))
    out = blend_runs([kernel, local])
    assert json.loads(out.submission_record.read_text())["members"] == {
        "kernel": ["relu-s0-f0", "relu-s1-f0"], "tiny": ["swish-s0-f0"],
    }  # fmt: skip
    told = "".join(capsys.readouterr().out.split())
    assert f"relu-s0-f0of{local}voteonce:{kernel}hasthemtoo" in told


def test_a_blend_writes_into_no_folder_of_another_thing(make_run, tiny, tmp_path):
    ours, other = make_run(tiny), make_run(changed(tiny, name="other", architecture="deotte"))
    before = {path: path.read_bytes() for path in ours.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="is not empty and holds no blend. Choose another with --out"):
        blend_runs([ours, other], out=ours)
    assert {path: path.read_bytes() for path in ours.rglob("*") if path.is_file()} == before
    first = blend_runs([ours, other], out=tmp_path / "mine").submission.read_bytes()
    assert blend_runs([ours, other], out=tmp_path / "mine").submission.read_bytes() == first


def test_scores_are_of_all_networks_on_the_rows_that_all_predicted(make_run, tiny, capsys):
    whole = make_run(replace(tiny, folds_used=5))
    half = make_run(changed(tiny, name="half", architecture="deotte", seeds=2, folds_used=2), "relu-s1-f1")
    out = blend_runs([whole, half])
    record = json.loads(out.submission_record.read_text())
    assert record["scores"]["networks"] == 10 + 7
    assert record["scores"]["votes"] == (20 * 6 + 20 * 5) / 40  # both folds: 2 of whole; 4 and 3 of half
    printed = " ".join(capsys.readouterr().out.split())
    assert "5.5 of the 17 networks vote on a validation image, all on one to predict." in printed


def test_a_blend_is_no_run_and_its_runs_are_named(make_run, tiny):
    runs = [make_run(tiny), make_run(changed(tiny, name="other", architecture="deotte"))]
    blend = blend_runs(runs, out=Path("blend"))
    with pytest.raises(UserError, match=f"blend is a blend, not a run. Name its runs: {runs[0]} {runs[1]}"):
        blend_runs([blend.path, runs[0]])


def test_an_earlier_vote_is_kept_when_a_run_has_got_more_networks(make_run, tiny):
    short, other = make_run(tiny, "swish-s0-f0"), make_run(changed(tiny, name="other", architecture="deotte"))
    whole = make_run(tiny)
    main(["blend", str(short), str(other), "--out", "blend"])
    earlier = Path("blend/submission.csv").read_bytes()
    (short / "members/swish-s0-f0").mkdir()
    shutil.copytree(whole / "members/swish-s0-f0", short / "members/swish-s0-f0", dirs_exist_ok=True)
    main(["blend", str(short), str(other), "--out", "blend"])
    now = Path("blend/submission.csv").read_bytes()
    assert now != earlier
    assert {copy.read_bytes() for copy in Path("submissions").glob("blend-*.csv")} == {earlier, now}
