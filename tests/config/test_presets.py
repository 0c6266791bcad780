import re

import pytest
from factories import changed

from pipeline.config.config_json import from_json, to_json
from pipeline.config.presets import PRESETS, preset
from pipeline.config.rules import problems
from pipeline.config.schema import member_specs


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_sound_and_survive_json(name):
    config = preset(name)
    assert problems(config) == []
    assert config.name == name
    assert from_json(to_json(config), "here") == config


def test_original_is_the_sources_experiment_by_value():
    config = preset("original")
    recipe, augment, train = config.recipe, config.recipe.augment, config.recipe.train
    assert (recipe.architecture, recipe.width, recipe.dropout, recipe.folds) == ("ghouzam", 1, 1, 10)
    assert (config.folds_used, config.seeds, config.arms) == (1, 1, ("relu", "swish"))
    assert (augment.rotation, augment.zoom, augment.shift) == (10, 0.1, 0.1)
    assert (augment.shear, augment.elastic, augment.clean_epochs) == (0, 0, 0)
    assert (train.epochs, train.batch_size, train.optimizer, train.learning_rate) == (30, 86, "rmsprop", 1e-3)
    assert (train.schedule, train.patience, train.min_learning_rate) == ("plateau", 3, 1e-5)
    assert (train.warmup, train.weight_decay, train.label_smoothing, train.ema_momentum) == (0, 0, 0, 0)
    assert not train.fresh_statistics


def test_presets_have_the_members_that_their_descriptions_say():
    assert [len(member_specs(preset(name))) for name in ("sample", "original", "study")] == [2 * 2, 2, 2 * 10]
    for name in ("leaderboard", "leaderboard-residual"):
        (networks,) = re.findall(r"(\d+) (?:residual )?networks", PRESETS[name][0])
        assert len(member_specs(preset(name))) == int(networks)


def test_all_but_the_first_two_are_one_recipe():
    """The recipe that docs/score.md chose; networks and sizes differ, and `quick` is short, so it drops less."""
    leaderboard, study, quick = (preset(name) for name in ("leaderboard", "study", "quick"))
    residual = preset("leaderboard-residual")
    augment, train = leaderboard.recipe.augment, leaderboard.recipe.train
    assert (leaderboard.recipe.architecture, leaderboard.recipe.width, leaderboard.recipe.dropout) == ("deotte", 1, 1)
    assert (augment.rotation, augment.zoom, augment.shift) == (10, 0.15, 0.1)
    assert (augment.shear, augment.elastic, augment.clean_epochs) == (10, 1, 1)
    assert (train.epochs, train.batch_size, train.optimizer, train.learning_rate) == (30, 64, "adamw", 4e-3)
    assert (train.schedule, train.warmup, train.weight_decay, train.label_smoothing) == ("cosine", 0.05, 0.01, 0)
    assert (train.ema_momentum, train.fresh_statistics) == (0.999, True)
    assert changed(study, name="leaderboard", seeds=leaderboard.seeds, folds=0, folds_used=0) == leaderboard
    assert changed(quick, name="leaderboard", seeds=leaderboard.seeds, dropout=1.0, train=train) == leaderboard
    assert changed(quick.recipe.train, epochs=30) == changed(residual.recipe.train, epochs=30) == train
    assert changed(residual, name="leaderboard", architecture="deotte", train=train) == leaderboard
    assert (residual.recipe.architecture, residual.recipe.train.epochs) == ("residual", 16)
