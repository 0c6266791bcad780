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
from pipeline.records.atomic import file_sha256
from pipeline.records.run_folder import RunFolder
from pipeline.runs import latest_finished, list_runs, runs_screen

COMPARISON = (
    '{"ensembles": [{"name": "relu", "validation": null}, '
    '{"name": "all", "members": 2, "held_back": %s, "validation": {"images": 4000, "errors": 10}}], "failed": {}}'
)


SCORES = {"where": "held-back", "whole": {"images": 2000, "errors": 27}}


def folder_of(name, config, when, **files):
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(to_json(config))
    for file, content in files.items():
        (folder / file.replace("_", ".")).write_text(content)
    for path in folder.iterdir():
        os.utime(path, (when, when))
    return folder


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("runs", ignore_errors=True)
    files = {"comparison_json": COMPARISON % "null", "submission_csv": "ImageId,Label\n1,2\n"}
    finished = folder_of("a", tiny, 1_780_000_000, **files)
    folder_of("b", replace(tiny, arms=("relu",)), 1_700_000_000)
    Path("runs/b/members/relu-s0-f0").mkdir(parents=True)
    pushed = Push("ada/kernel", 1, "1a", "0" * 64, "2020-01-01T00:00:00+00:00", status="ERROR")
    folder_of("c", tiny, 1_600_000_000, push_json=json.dumps(asdict(pushed)))
    folder_of("d", tiny, 1_500_000_000, comparison_json="[]")
    (folder_of("e", tiny, 1_400_000_000) / "config.json").write_text("{")
    os.utime("runs/e/config.json", (1_400_000_000, 1_400_000_000))
    return finished


def test_blends_are_listed_with_their_scores(runs):
    folder = RunFolder(Path("runs/blend-1"))
    folder.path.mkdir()
    folder.submission.write_text("ImageId,Label\n1,3\n")
    sha256 = file_sha256(folder.submission)
    record_votes(folder, 2, missing=1, runs={"a": "runs/a", "b": "runs/b"}, scores=SCORES)
    entry = Entry("1", "2026-01-01T00:00:00+00:00", str(folder.submission), sha256, None, None, "m")
    assert list_runs()[0].score == "0.98650 held-back"
    record(replace(entry, status="complete", score=0.9971))
    row, *others = list_runs()
    assert (row.name, row.config, row.state, row.score) == (
        "blend-1", "votes of a, b", "4 networks voted", "0.99710 Kaggle",
    )  # fmt: skip
    assert len(others) == 5
    folder.submission_record.write_text("{")
    assert "submission.json is damaged" in [row.state for row in list_runs()]


def test_runs_and_submissions_newest_first(runs):
    entry = Entry("1", "2026-01-01T00:00:00+00:00", "x.csv", file_sha256(runs / "submission.csv"), None, None, "m")
    record(replace(entry, status="complete", score=0.9966))
    record(replace(entry, id="2", sha256="other", source="elsewhere.csv", status="pending"))
    rows = list_runs()
    assert [(r.name, r.state, r.score) for r in rows] == [
        ("a", "finished", "0.99660 Kaggle"),
        ("elsewhere.csv", "submitted", "pending"),
        ("b", "1 of 1 networks", ""),
        ("c", "at Kaggle: ERROR", ""),
        ("d", "comparison.json is damaged", ""),
        ("e", "config.json is damaged", ""),
    ]
    assert (rows[0].config, rows[0].arms) == ("ghouzam, 2 × 3 epochs", "relu swish")
    lines = runs_screen(rows, 80)
    assert lines[0].split() == ["run", "state", "score", "when"]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:]] == [row.name for row in rows]


def test_a_run_that_is_being_extended_is_not_finished(runs, tiny):
    (runs / "config.json").write_text(to_json(replace(tiny, seeds=2)))
    (runs / "members" / "relu-s0-f0").mkdir(parents=True)
    assert [(r.state, r.score) for r in list_runs() if r.name == "a"] == [("1 of 4 networks", "")]


def test_the_best_score_known_is_shown(runs):
    assert list_runs()[0].score == "0.99750 validation"
    (runs / "comparison.json").write_text(COMPARISON % '{"images": 2000, "errors": 27}')
    assert list_runs()[0].score == "0.98650 held-back"
    sent = Entry("1", "2026-01-01T00:00:00+00:00", "x.csv", file_sha256(runs / "submission.csv"), None, None, "m")
    for number, score in enumerate((0.9966, 0.9971, None)):
        record(replace(sent, id=str(number), status="complete" if score else "pending", score=score))
    assert [row.score for row in list_runs() if row.name == "a"] == ["0.99710 Kaggle"]


def test_the_run_to_submit_is_the_one_finished_last(runs):
    assert latest_finished() == Path("runs/a")
    (runs / "submission.csv").unlink()
    with pytest.raises(UserError, match="no finished run under runs/"):
        latest_finished()
