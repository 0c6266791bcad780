from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from pipeline.config import (
    KERAS_ACTIVATIONS,
    AugmentConfig,
    RunConfig,
    TrainConfig,
    UserError,
    digest,
    from_json,
    members,
    problems,
    recipe,
    to_json,
    validate,
)


def test_all_problems_are_reported_at_once(tiny):
    config = replace(
        tiny,
        arms=("relu", "swich", "relu"),
        seeds=0,
        folds=1,
        augment=AugmentConfig(zoom=1.0),
        train=replace(tiny.train, epochs=0, weight_decay=0.1, schedule="plateau", warmup=0.5),
    )
    with pytest.raises(UserError) as caught:
        validate(config)
    for part in (
        "did you mean 'swish'",
        "arms must be free of repetitions",
        "seeds must be at least 1. Received: 0",
        "folds must be 0 (no validation) or at least 2. Received: 1",
        "augment.zoom",
        "train.epochs",
        "train.weight_decay must be 0 unless",
        "train.warmup must be 0",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"folds": 0, "folds_used": 1}, "folds_used"),
        ({"folds": 5, "folds_used": 6}, "folds_used"),
        ({"folds": 0, "folds_used": 0, "train": TrainConfig(schedule="plateau")}, "train.schedule"),
        ({"train": TrainConfig(learning_rate=float("nan"))}, "train.learning_rate"),
        ({"train": TrainConfig(min_learning_rate=1.0)}, "train.min_learning_rate"),
        ({"train": TrainConfig(ema_momentum=1.0)}, "train.ema_momentum"),
        ({"name": "../x"}, "name"),
        ({"arms": ()}, "arms"),
    ],
)
def test_each_rule_names_its_field(tiny, change, problem):
    assert any(line.startswith(problem) for line in problems(replace(tiny, **change)))


def test_json_with_unknown_key_or_wrong_type_is_refused(tiny):
    text = to_json(tiny).replace('"seeds": 1', '"seeds": "many", "sedes": 1')
    with pytest.raises(UserError, match=r"(?s)here.*seeds.*sedes"):
        from_json(text, "here")


def test_digest_sees_results_and_not_places(tiny):
    assert digest(tiny) == digest(replace(tiny, name="other", data="x.zip", out="y"))
    assert digest(tiny) != digest(replace(tiny, train=replace(tiny.train, epochs=4)))


def test_recipe_sees_how_members_are_trained_and_not_how_many(tiny):
    for same in ({"arms": ("swish",)}, {"seeds": 3}, {"folds_used": 2}, {"name": "other"}):
        assert recipe(tiny) == recipe(replace(tiny, **same))
    for other in ({"folds": 4}, {"split_seed": 1}, {"augment": AugmentConfig(zoom=0)}, {"architecture": "deotte"}):
        assert recipe(tiny) != recipe(replace(tiny, **other))


def test_members_pair_the_arms(tiny):
    config = replace(tiny, seeds=2, folds_used=2)
    assert [m.id for m in members(config)] == [
        f"{arm}-s{seed}-f{fold}" for seed in (0, 1) for fold in (0, 1) for arm in ("relu", "swish")
    ]
    whole = replace(config, folds=0, folds_used=0)
    assert [m.id for m in members(whole)][:2] == ["relu-s0-fall", "swish-s0-fall"]
    assert all(asdict(m)["train"] == asdict(config.train) for m in members(config))


@pytest.mark.parametrize("name", KERAS_ACTIVATIONS)
def test_keras_activations_exist_and_are_elementwise(name):
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    y = np.asarray(getattr(keras.activations, name)(x))
    assert y.shape == x.shape
    assert np.allclose(y[1], np.asarray(getattr(keras.activations, name)(x[1:2]))[0])


def test_votes_are_weighed_only_where_there_is_something_to_weigh_them_by():
    weighed = RunConfig(name="x", vote="greedy")
    assert problems(weighed) == []
    (no_rows,) = problems(replace(weighed, folds=0, folds_used=0, train=TrainConfig(schedule="cosine")))
    assert "vote must be 'equal' when folds is 0" in no_rows
    (alone,) = problems(replace(weighed, arms=("swish",)))
    assert "nothing to weigh. Received: 'greedy'" in alone
    assert digest(weighed) == digest(replace(weighed, vote="equal"))  # nothing is trained again
