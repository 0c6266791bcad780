import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from factories import record_votes

from pipeline.config.config_json import to_json
from pipeline.config.errors import UserError
from pipeline.kaggle.pushes import Push
from pipeline.kaggle.submission_log import Entry, record
from pipeline.records.readers import SEAL, sealed
from pipeline.records.run_folder import RunFolder
from pipeline.runs import latest_finished, list_runs, runs_screen

VALIDATION = {"where": "validation", "whole": {"images": 4000, "errors": 10}}
HELD_BACK = {"where": "held-back", "whole": {"images": 2000, "errors": 27}, "networks": 4}


def folder_of(name, config, when, **files):
    folder = RunFolder(Path("runs") / name)
    folder.path.mkdir(parents=True)
    folder.write_config(config)
    for file, content in files.items():
        (folder.path / file.replace("_", ".")).write_text(content)
    for path in folder.path.iterdir():
        os.utime(path, (when, when))
    return folder


def sent(folder, score=None, **changes):
    """Log that a folder's submission was sent."""
    entry = Entry("1", "2026-01-01T00:00:00+00:00", "x.csv", sha256_of(folder), "m")
    record(replace(entry, status="complete" if score else "pending", score=score, **changes))


def sha256_of(folder):
    return json.loads(folder.submission_record.read_text())["sha256"]


@pytest.fixture(autouse=True)
def run(tmp_path, monkeypatch, tiny):
    """A finished run, among those that are not."""
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("runs", ignore_errors=True)
    finished = folder_of("a", tiny, 1_780_000_000, submission_csv="ImageId,Label\n1,2\n")
    record_votes(finished, 2, scores=VALIDATION)
    folder_of("b", replace(tiny, arms=("relu",)), 1_700_000_000)
    Path("runs/b/members/relu-s0-f0").mkdir(parents=True)
    pushed = Push("ada/kernel", 1, "0" * 64, "2020-01-01T00:00:00+00:00", status="ERROR")
    folder_of("c", tiny, 1_600_000_000, push_json=json.dumps(asdict(pushed)))
    folder_of("d", tiny, 1_500_000_000, submission_json="[]")
    folder_of("e", tiny, 1_400_000_000).config.write_text("{")
    os.utime("runs/e/config.json", (1_400_000_000, 1_400_000_000))
    return finished


def test_blends_are_listed_with_their_scores():
    folder = RunFolder(Path("runs/blend-1"))
    folder.path.mkdir()
    folder.submission.write_text("ImageId,Label\n1,3\n")
    record_votes(folder, 2, missing=1, runs={"a": "runs/a", "b": "runs/b"}, scores=HELD_BACK)
    row = next(row for row in list_runs() if row.name == "blend-1")
    assert (row.config, row.state, row.score) == ("votes of a, b", "4 networks voted", "0.98650 held-back")
    sent(folder, 0.9971)
    assert [row.score for row in list_runs() if row.name == "blend-1"] == ["0.99710 Kaggle"]
    folder.submission_record.write_text("{")
    assert ("blend-1", "submission.json is damaged") in [(row.name, row.state) for row in list_runs()]


def test_runs_and_submissions_newest_first(run):
    sent(run, 0.9966)
    sent(run, id="2", sha256="other", source="elsewhere.csv")
    rows = list_runs()
    assert [(r.name, r.state, r.score) for r in rows] == [
        ("a", "finished", "0.99660 Kaggle"),
        ("elsewhere.csv", "submitted", "pending"),
        ("b", "1 of 1 networks", ""),
        ("c", "at Kaggle: ERROR", ""),
        ("d", "submission.json is damaged", ""),
        ("e", "config.json is damaged", ""),
    ]
    assert (rows[0].config, rows[0].arms) == ("ghouzam, 2 × 3 epochs", "relu swish")
    lines = runs_screen(rows, 80)
    assert lines[0].split() == ["run", "state", "score", "when"]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:]] == [row.name for row in rows]


@pytest.mark.parametrize(("change", "state"), [({"seeds": 2}, "1 of 4"), ({"arms": ("relu", "elu")}, "1 of 2")])
def test_a_run_that_is_being_extended_is_not_finished(change, state, run, tiny):
    run.config.write_text(to_json(replace(tiny, **change)))
    (run.members / "relu-s0-f0").mkdir(parents=True)
    assert [r.state for r in list_runs() if r.name == "a"] == [f"{state} networks"]


def test_the_best_score_known_is_shown(run):
    assert list_runs()[0].score == "0.99750 validation"
    for number, score in enumerate((0.9966, 0.9971, None)):
        sent(run, score, id=str(number))
    assert [row.score for row in list_runs() if row.name == "a"] == ["0.99710 Kaggle"]


def test_the_run_to_submit_is_the_one_finished_last(run, tiny):
    assert latest_finished() == Path("runs/a")
    other = folder_of("restored", tiny, 1_790_000_000, submission_csv="ImageId,Label\n1,2\n")
    record = json.loads(run.submission_record.read_text()) | {"written": "2020-01-01T00:00:00+00:00"}
    other.submission_record.write_text(json.dumps(sealed({k: v for k, v in record.items() if k != SEAL})))
    assert latest_finished() == Path("runs/a")  # by what they recorded, not by their files
    record_votes(run, 2, missing=14)
    with pytest.raises(UserError, match="runs/a was written last, and is not complete: 2 of 16 networks voted. Name"):
        latest_finished()
    run.submission.unlink()
    other.submission.unlink()
    with pytest.raises(UserError, match="no finished run under runs/"):
        latest_finished()
