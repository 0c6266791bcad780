from dataclasses import asdict
from pathlib import Path

import pytest
from factories import changed

from pipeline.config.errors import UserError
from pipeline.config.rules import problems, validate
from pipeline.config.schema import AugmentConfig, Recipe, RunConfig, TrainConfig, settings


def test_all_problems_are_reported_at_once(tiny):
    with pytest.raises(UserError) as caught:
        validate(changed(tiny, arms=("relu", "swich", "relu"), seeds=0, folds=1, epochs=0, weight_decay=0.1))
    for part in (
        "did you mean 'swish'",
        "arms must be free of repetitions",
        "seeds must be between 1 and 1,000. Received: 0",
        "folds must be 0 (no validation) or at least 2. Received: 1",
        "train.epochs must be",
        "train.weight_decay must be 0 unless",
    ):
        assert part in str(caught.value)


# Every rule is in force here, with no value at a limit.
SOUND = RunConfig(
    name="sound",
    recipe=Recipe(
        folds=5,
        augment=AugmentConfig(rotation=10, zoom=0.1, shift=0.1, shear=10, elastic=1, clean_epochs=1),
        train=TrainConfig(epochs=3, optimizer="adamw", schedule="cosine", learning_rate=2e-3),
    ),
    folds_used=2,
)
NAN, INFINITE = float("nan"), float("inf")
PLATEAU = {"train.schedule": "plateau"}


def having(config, field, value):
    """The config with another value in a field, such as train.epochs."""
    return changed(config, **{field.rpartition(".")[2]: value})


def told(config, field):
    return [line for line in problems(config) if line.startswith((f"{field} must be ", f"{field}: "))]


@pytest.mark.parametrize(
    ("field", "refused", "sound"),
    [
        ("arms", [(), ("relu", "relu"), ("swich",)], [("swish",), ("mish", "swish_beta")]),
        ("name", ["", ".x", "../x", "a b", "a\n", 101 * "x"], ["x", "4.a-b_c", 100 * "x"]),
        ("name", [34 * "\u8a9e"], [33 * "\u8a9e"]),  # of 3 bytes each
        ("first_seed", [-1, 1_000_001], [0, 1_000_000]),
        ("data", ["", "a\0b"], ["auto", "x y", "\udcff"]),
        ("out", ["", "a\0b"], [None, "x", "\udcff"]),
        ("architecture", ["resnet", "Ghouzam"], ["ghouzam", "deotte", "residual"]),
        ("width", [0, 4], [1, 3]),
        ("dropout", [-0.01, 1.91, NAN], [0, 1.9]),
        ("seeds", [0, 1001, 10**24], [1, 1000]),
        ("split_seed", [-1, 1 << 32], [0, (1 << 32) - 1]),
        ("hours", [0.0, -1.0, NAN, INFINITE, 1e308], [None, 0.01, 11.5]),
        ("folds", [1, -1, 1001], [2, 1000]),
        ("folds_used", [0, 6], [1, 5]),
        ("augment.rotation", [-0.1, 180.1, NAN], [0, 180]),
        ("augment.zoom", [-0.01, 0.51, NAN], [0, 0.5]),
        ("augment.shift", [-0.01, 0.51, NAN], [0, 0.5]),
        ("augment.shear", [-0.1, 45.1, NAN], [0, 45]),
        ("augment.elastic", [-0.1, 2.1, NAN], [0, 2]),
        ("augment.clean_epochs", [-1, 4], [0, 3]),
        ("train.epochs", [0, 10**6], [1]),
        ("train.batch_size", [0, 10**30], [1]),
        ("train.learning_rate", [0, -1e-3, INFINITE, NAN, 1e39, 1e-50, 10**400], [1e-12, 10, 1e30]),
        ("train.min_learning_rate", [-1e-9, NAN, INFINITE], [0, 2e-3, 1.0]),
        ("train.patience", [0, 10**30], [1]),
        ("train.warmup", [-0.01, 1, NAN], [0, 0.99]),
        ("train.weight_decay", [-0.01, 1, NAN], [0, 0.99]),
        ("train.label_smoothing", [-0.01, 1, NAN], [0, 0.99]),
        ("train.ema_momentum", [-0.01, 1, NAN], [0, 0.9999]),
    ],
)
def test_each_field_has_its_range(field, refused, sound):
    for value in refused:
        config = having(SOUND, field, value)
        (line,) = told(config, field)
        assert line.endswith(f"Received: {settings(asdict(config))[field]!r}") or "Known: " in line
    for value in sound:
        config = having(having(SOUND, "train.min_learning_rate", 0), "train.epochs", 3)
        assert told(having(config, field, value), field) == []


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"architecture": "residual", "dropout": 0.5}, "dropout", "1 with residual"),
        ({"train": TrainConfig(fresh_statistics=True)}, "train.fresh_statistics", "False with ghouzam"),
        ({"ray_address": "auto"}, "ray_address", "left out unless engine is 'ray'"),
        ({"folds": 0}, "folds_used", "0 when folds is 0"),
        ({"folds": 1000, "folds_used": 1000, "seeds": 99}, "seeds", "so few that there are at most 100,000 networks"),
        ({"train.schedule": "plateau", "folds": 0, "folds_used": 0}, "train.schedule", "'cosine' when folds is 0"),
        ({**PLATEAU, "train.min_learning_rate": -1e-9}, "train.min_learning_rate", "in [0, learning_rate]"),
        ({**PLATEAU, "train.min_learning_rate": 2.1e-3}, "train.min_learning_rate", "in [0, learning_rate]"),
        ({**PLATEAU, "train.min_learning_rate": NAN}, "train.min_learning_rate", "in [0, learning_rate]"),
        ({"train.schedule": "plateau", "train.warmup": 0.1}, "train.warmup", "0 with schedule 'plateau'"),
        ({"device": "tpu", "backend": "tensorflow"}, "backend", "'jax' or 'auto' with device 'tpu'"),
        ({"engine": "ray", "device": "gpu"}, "device", "'auto' with engine 'ray'"),
        ({"engine": "ray", "backend": "jax"}, "backend", "'auto' with engine 'ray': set KERAS_BACKEND"),
        ({"train.optimizer": "adam", "train.weight_decay": 0.1}, "train.weight_decay", "0 unless optimizer is 'adamw'"),
        ({"train.optimizer": "rmsprop", "train.weight_decay": 0.1}, "train.weight_decay", "0 unless optimizer"),
    ],
)
def test_fields_that_do_not_go_together(change, field, rule):
    config = SOUND
    for name, value in change.items():
        config = having(config, name, value)
    (line,) = problems(config)
    assert line.startswith(f"{field} must be {rule}")
    with pytest.raises(UserError, match=f"cannot be run:\n  - {field} must be"):
        validate(config)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"folds": 0, "folds_used": 0},
        {"architecture": "residual"},
        {"train": TrainConfig()},
        {"train.learning_rate": 1e-6},  # below the floor of plateau, which cosine does not have
    ],
)
def test_what_is_sound_passes(change):
    config = SOUND
    for name, value in change.items():
        config = having(config, name, value)
    validate(config)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("out", Path("x"), "valid string. Received: PosixPath('x')"),
        ("hours", "2", "valid number. Received: '2'"),
        ("seeds", 2.0, "valid integer. Received: 2.0"),
        ("arms", ["relu"], "valid tuple. Received: ['relu']"),
        ("train.fresh_statistics", "no", "valid boolean. Received: 'no'"),
        ("dropout", True, "valid number. Received: True"),
        ("architecture", None, "'ghouzam', 'deotte' or 'residual'. Received: None"),
        ("train.precision", "half", "'auto', 'float32', 'mixed_bfloat16' or 'mixed_float16'. Received: 'half'"),
        ("augment", {"zoom": 0}, "Received: {'zoom': 0}"),
    ],
)
def test_what_a_script_may_put_into_a_field(field, value, message):
    (line,) = problems(having(SOUND, field, value))
    assert line.startswith(f"{field}: ")
    assert line.endswith(message)
