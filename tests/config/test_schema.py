from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from pipeline.config.schema import KERAS_ACTIVATIONS, AugmentConfig, digest, member_specs, recipe


def test_digest_sees_results_and_not_places(tiny):
    assert digest(tiny) == digest(replace(tiny, name="other", data="x.zip", out="y"))
    assert digest(tiny) != digest(replace(tiny, train=replace(tiny.train, epochs=4)))


def test_recipe_sees_how_members_are_trained_and_not_how_many(tiny):
    for same in ({"arms": ("swish",)}, {"seeds": 3}, {"folds_used": 2}, {"name": "other"}):
        assert recipe(tiny) == recipe(replace(tiny, **same))
    for other in (
        {"folds": 4},
        {"split_seed": 1},
        {"augment": AugmentConfig(elastic=1)},
        {"architecture": "deotte"},
        {"width": 2},
        {"dropout": 0.5},
    ):
        assert recipe(tiny) != recipe(replace(tiny, **other))


def test_members_pair_the_arms(tiny):
    config = replace(tiny, seeds=2, folds_used=2)
    assert [m.id for m in member_specs(config)] == [
        f"{arm}-s{seed}-f{fold}" for seed in (0, 1) for fold in (0, 1) for arm in ("relu", "swish")
    ]
    whole = replace(config, folds=0, folds_used=0)
    assert [m.id for m in member_specs(whole)][:2] == ["relu-s0-all", "swish-s0-all"]
    assert all(asdict(m)["train"] == asdict(config.train) for m in member_specs(config))


@pytest.mark.parametrize("name", KERAS_ACTIVATIONS)
def test_keras_activations_exist_and_are_elementwise(name):
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    y = np.asarray(getattr(keras.activations, name)(x))
    assert y.shape == x.shape
    assert np.allclose(y[1], np.asarray(getattr(keras.activations, name)(x[1:2]))[0])


def test_digest_does_not_see_the_vote(tiny):
    assert digest(replace(tiny, vote="greedy")) == digest(tiny)  # nothing is trained again
