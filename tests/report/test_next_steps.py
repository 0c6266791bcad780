"""What to do next, as commands that the command line takes; the screens of test_terminal.py show them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

from pipeline.config.presets import preset
from pipeline.records.run_folder import RunFolder
from pipeline.report.next_steps import OUT_OF_FOLD, Pace, next_steps, out_of_fold_accuracy

FOLDER = RunFolder(Path("runs/my run"))


def commands(config, **more):
    pace = Pace(1000, config.recipe)
    return [command for step in next_steps(config, FOLDER, pace, images=1000, **more) for command, _ in step.commands]


def test_submitting_and_what_would_be_better_depend_on_what_there_is(monkeypatch):
    assert commands(preset("sample")) == [
        "python -m pipeline download", "python -m pipeline run quick", "python -m pipeline submit",
    ]  # fmt: skip
    submit = "python -m pipeline submit 'runs/my run'"
    assert commands(preset("leaderboard")) == [submit]
    better = "python -m pipeline run leaderboard --data x.zip --seeds 1"
    assert commands(replace(preset("original"), data="x.zip")) == [submit, better]
    assert commands(preset("original"), missing=1) == ["python -m pipeline run original", submit]
    assert commands(preset("leaderboard"), is_doubtful=True) == []
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    assert commands(preset("quick")) == ["python -m pipeline fetch", "python -m pipeline submit"]


def test_the_time_is_of_the_networks_rows_and_work_of_what_is_proposed():
    pace = Pace(1000, preset("leaderboard").recipe)
    assert pace.time_of(replace(preset("leaderboard"), seeds=8), 42_000) == "about 5 h 36 min here"  # 16 x 30 x 42 s
    assert pace.time_of(preset("study"), 42_000, 1) == "about 17 min here"  # four fifths of 30 x 42 s
    assert replace(pace, is_lowest=True).time_of(preset("quick"), 42_000, 1) == "at most 4 min here"
    residual = replace(preset("quick").recipe, architecture="residual", width=2)
    slower = replace(preset("quick"), recipe=residual)
    assert pace.time_of(slower, 42_000, 1) == "about 1 h 1 min here"  # 3.6 x 4 times 252 s
    assert Pace(1000, residual).time_of(slower, 42_000, 1) == "about 4 min here"


def test_what_recipes_reached_is_what_the_records_say():
    def recorded(name):
        votes = json.loads((ROOT / "docs/score" / name).read_text())["votes"]
        return next(vote["accuracy"][0] for vote in votes if vote["arms"] == "1 relu + 1 swish")

    assert OUT_OF_FOLD["leaderboard"] == pytest.approx(recorded("votes.json"), abs=5e-5)
    assert OUT_OF_FOLD["quick"] == pytest.approx(recorded("quick-votes.json"), abs=5e-5)
    folded = replace(preset("quick").recipe, folds=5, split_seed=3)
    assert out_of_fold_accuracy(folded) == OUT_OF_FOLD["quick"]
    assert out_of_fold_accuracy(replace(folded, width=2)) is None
