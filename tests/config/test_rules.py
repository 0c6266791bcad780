from dataclasses import replace

import pytest

from pipeline.config.errors import UserError
from pipeline.config.rules import problems, validate
from pipeline.config.schema import AugmentConfig, RunConfig, TrainConfig


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
        ({"architecture": "resnet"}, "architecture: unknown network 'resnet'"),
        ({"width": 4}, "width must be one of (1, 2, 3). Received: 4"),
        ({"width": 0}, "width"),
        ({"dropout": -0.1}, "dropout"),
        ({"dropout": 2.0}, "dropout"),
        ({"architecture": "residual", "dropout": 0.5}, "dropout must be 1 with residual"),
        ({"augment": AugmentConfig(zoom=0.6)}, "augment.zoom must be in [0, 0.5]"),
        ({"augment": AugmentConfig(shift=0.6)}, "augment.shift must be in [0, 0.5] of the side"),
        ({"augment": AugmentConfig(shear=46)}, "augment.shear must be in [0, 45] degrees"),
        ({"augment": AugmentConfig(shear=-1)}, "augment.shear"),
        ({"augment": AugmentConfig(elastic=2.1)}, "augment.elastic must be in [0, 2] pixels"),
        ({"augment": AugmentConfig(elastic=float("nan"))}, "augment.elastic"),
        ({"augment": AugmentConfig(clean_epochs=4)}, "augment.clean_epochs must be between 0 and train.epochs (3)"),
        ({"augment": AugmentConfig(clean_epochs=-1)}, "augment.clean_epochs"),
    ],
)
def test_each_rule_names_its_field(tiny, change, problem):
    assert any(line.startswith(problem) for line in problems(replace(tiny, **change)))


def test_the_limits_themselves_are_sound(tiny):
    edge = AugmentConfig(rotation=180, zoom=0.5, shift=0.5, shear=45, elastic=2, clean_epochs=3)
    assert problems(replace(tiny, width=3, dropout=1.9, augment=edge)) == []
    assert problems(replace(tiny, architecture="residual", width=1)) == []


def test_votes_are_weighed_only_where_there_is_something_to_weigh_them_by():
    weighed = RunConfig(name="x", vote="greedy")
    assert problems(weighed) == []
    (no_rows,) = problems(replace(weighed, folds=0, folds_used=0, train=TrainConfig(schedule="cosine")))
    assert "vote must be 'equal' when folds is 0" in no_rows
    (alone,) = problems(replace(weighed, arms=("swish",)))
    assert "nothing to weigh. Received: 'greedy'" in alone
