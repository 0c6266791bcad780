"""What to do next, as commands that the command line takes."""

import shlex
from dataclasses import replace

import pytest
from factories import changed, compared, pair
from studies import compared_arms

from pipeline.cli import read
from pipeline.config.command import run_command
from pipeline.config.presets import PRESETS, preset
from pipeline.config.schema import AugmentConfig
from pipeline.evidence.verdict import Verdict
from pipeline.records.run_folder import RunFolder
from pipeline.report.next_steps import next_steps

BALANCED = [pair(5, 6, fold=i % 2, seed=i) for i in range(6)]


COMPETE = ("Train a submission with the strongest recipe", ["python -m pipeline run leaderboard"])


def steps(config, comparison, folder=None, half_finished=False):
    """All but the last, where that is the one that always applies."""
    found = [(step.why, step.commands) for step in next_steps([config], comparison, folder, half_finished)]
    assert (found[-1] == COMPETE) == (folder is None and not half_finished)
    return [step for step in found if step != COMPETE]


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_of_a_config_gives_that_config(name):
    plain = preset(name)
    assert run_command(plain) == f"python -m pipeline run {name}"
    train = replace(plain.recipe.train, fresh_statistics=not plain.recipe.train.fresh_statistics, epochs=7)
    other = changed(plain, seeds=9, out="runs/my run", arms=("elu", "swish"), augment=AugmentConfig(5), train=train)
    for config in (plain, other):
        words = shlex.split(run_command(config))
        assert words[:4] == ["python", "-m", "pipeline", "run"]
        assert read("run", words[4:]).config == config


def test_too_few_pairs_ask_for_as_many_as_it_takes(tiny):
    few = compared_arms(["relu", "swish"], compared(pair(9), pair(9, fold=1)))
    config = replace(preset("original"), seeds=1, folds_used=2)
    ((why, commands),) = steps(config, few)
    assert "at least 3 pairs" in why
    assert commands == ["python -m pipeline run original --seeds 2 --folds-used 2"]
    assert steps(replace(config, seeds=2), few) == []  # it asks for them already


def test_a_study_that_could_have_decided_is_not_extended(tiny):
    """To add pairs and test again would find more than 5% of differences that are none."""
    result = replace(compared(*BALANCED), verdict=Verdict.NOT_SHOWN)
    assert steps(tiny, compared_arms(["relu", "swish"], result)) == []


def test_what_is_missing_comes_first(tmp_path):
    config = preset("original")
    (tmp_path / "submission.csv").touch()
    few = compared_arms(["relu", "swish"], compared(pair(9)))
    finish = ("Train the missing networks (finished ones are kept)", ["python -m pipeline run original"])
    submit = ("Submit the predictions", [f"python -m pipeline submit {tmp_path}"])
    assert steps(config, replace(few, failed={"elu-s0-f0": "died"}), RunFolder(tmp_path)) == [finish, submit]
    assert steps(config, few, half_finished=True) == [finish]


def test_submitting_depends_on_where_one_is(tmp_path, monkeypatch):
    alone = compared_arms(["relu"])
    ((_, commands),) = steps(preset("sample"), alone, RunFolder(tmp_path))
    assert commands == ["python -m pipeline download", "python -m pipeline run leaderboard"]
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    ((_, commands),) = steps(preset("original"), alone, RunFolder(tmp_path))
    assert commands == ["python -m pipeline fetch", "python -m pipeline submit"]
