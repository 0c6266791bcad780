"""What makes a config sound; every problem is reported at once, by field."""

import re
from collections.abc import Callable
from typing import get_args

from pipeline.config.errors import UserError, suggest
from pipeline.config.schema import (
    KERAS_ACTIVATIONS,
    OWN_ACTIVATIONS,
    WIDTHS,
    WITHOUT_DROPOUT,
    WITHOUT_NORMALIZATION,
    Architecture,
    AugmentConfig,
    Recipe,
    RunConfig,
    TrainConfig,
)

MAX_SEEDS = MAX_FOLDS = 1000  # more is a slip of the hand, and only listing the members would take minutes
MAX_FIRST_SEED = 1_000_000
MAX_SPLIT_SEED = (1 << 32) - 1  # scikit-learn takes no more
MAX_EPOCHS = MAX_PATIENCE = MAX_HOURS = 100_000
MAX_BATCH = 1_000_000  # no data has more rows
MAX_RATE = 1e38  # float32 has no more
MAX_NAME = 100  # characters; a file system takes 255 bytes
MAX_DROPOUT = 1.9  # the largest rate of a network is 0.5
MAX_ZOOM = MAX_SHIFT = 0.5
MAX_SHEAR = 45
MAX_ELASTIC = 2

Require = Callable[[bool, str, str, object], None]  # (is it sound, field, rule, what the field holds)


def problems(config: RunConfig) -> list[str]:
    """All that is wrong with a config, one line per problem naming the field and what it holds; empty when sound."""
    found: list[str] = []

    def require(sound: bool, where: str, rule: str, received: object) -> None:
        if not sound:
            found.append(f"{where} must be {rule}. Received: {received!r}")

    activations, networks = OWN_ACTIVATIONS + KERAS_ACTIVATIONS, get_args(Architecture)
    for arm in config.arms:
        if arm not in activations:
            found.append(f"arms: unknown activation {arm!r}; {suggest(arm, activations)}")
    if (network := config.recipe.architecture) not in networks:
        found.append(f"architecture: unknown network {network!r}; {suggest(network, networks)}")
    _check_run(config, require)
    _check_recipe(config.recipe, require)
    _check_augment(config.recipe.augment, config.recipe.train.epochs, require)
    _check_train(config.recipe.train, config.recipe.folds, require)
    return found


def _check_run(config: RunConfig, require: Require) -> None:
    require(len(config.arms) > 0, "arms", "at least one activation", config.arms)
    require(len(set(config.arms)) == len(config.arms), "arms", "free of repetitions", config.arms)
    rule = f"made of letters, digits, '.', '_', '-', at most {MAX_NAME}"
    sound_name = re.fullmatch(r"\w[\w.-]*", config.name) and len(config.name) <= MAX_NAME
    require(bool(sound_name), "name", rule, config.name)
    require(config.data != "", "data", "a place, auto or sample", config.data)
    require(config.out != "", "out", "a folder", config.out)
    require(config.seeds >= 1, "seeds", "at least 1", config.seeds)
    require(config.seeds <= MAX_SEEDS, "seeds", f"at most {MAX_SEEDS}", config.seeds)
    rule = f"between 0 and {MAX_FIRST_SEED}"
    require(0 <= config.first_seed <= MAX_FIRST_SEED, "first_seed", rule, config.first_seed)
    folds = config.recipe.folds
    if folds >= 2:
        require(1 <= config.folds_used <= folds, "folds_used", f"between 1 and folds ({folds})", config.folds_used)
    else:
        require(config.folds_used == 0, "folds_used", "0 when folds is 0", config.folds_used)
    rule = f"above 0, at most {MAX_HOURS}"
    require(config.hours is None or 0 < config.hours <= MAX_HOURS, "hours", rule, config.hours)
    rule = "left out unless engine is 'ray'"
    require(config.ray_address is None or config.engine == "ray", "ray_address", rule, config.ray_address)
    if config.device == "tpu":
        require(config.backend != "tensorflow", "backend", "'jax' or 'auto' with device 'tpu'", config.backend)
    if config.engine == "ray":
        rule = "'auto' with engine 'ray': its nodes compute on what they have"
        require(config.device == "auto", "device", rule, config.device)
        rule = "'auto' with engine 'ray': set KERAS_BACKEND instead"
        require(config.backend == "auto", "backend", rule, config.backend)


def _check_recipe(recipe: Recipe, require: Require) -> None:
    rule = f"between 0 and {MAX_SPLIT_SEED}"
    require(0 <= recipe.split_seed <= MAX_SPLIT_SEED, "split_seed", rule, recipe.split_seed)
    require(recipe.folds == 0 or recipe.folds >= 2, "folds", "0 (no validation) or at least 2", recipe.folds)
    require(recipe.folds <= MAX_FOLDS, "folds", f"at most {MAX_FOLDS}", recipe.folds)
    require(recipe.width in WIDTHS, "width", f"one of {WIDTHS}", recipe.width)
    require(0 <= recipe.dropout <= MAX_DROPOUT, "dropout", f"in [0, {MAX_DROPOUT}]: a factor", recipe.dropout)
    if recipe.architecture in WITHOUT_DROPOUT:
        require(recipe.dropout == 1, "dropout", f"1 with {recipe.architecture}, which has no dropout", recipe.dropout)
    if recipe.architecture in WITHOUT_NORMALIZATION:
        rule = f"False with {recipe.architecture}, which has no batch normalisation"
        require(not recipe.train.fresh_statistics, "train.fresh_statistics", rule, recipe.train.fresh_statistics)


def _check_augment(augment: AugmentConfig, epochs: int, require: Require) -> None:
    """A digit is about 20 pixels high and wide, in the middle of 28: at the limits some of it is still in the image."""
    require(0 <= augment.rotation <= 180, "augment.rotation", "in [0, 180] degrees", augment.rotation)
    rule = f"in [0, {MAX_ZOOM}]: farther, a digit leaves the image or vanishes"
    require(0 <= augment.zoom <= MAX_ZOOM, "augment.zoom", rule, augment.zoom)
    rule = f"in [0, {MAX_SHIFT}] of the side: farther, most of a digit leaves the image"
    require(0 <= augment.shift <= MAX_SHIFT, "augment.shift", rule, augment.shift)
    rule = f"in [0, {MAX_SHEAR}] degrees: farther, the top and the foot of a digit leave the image"
    require(0 <= augment.shear <= MAX_SHEAR, "augment.shear", rule, augment.shear)
    rule = f"in [0, {MAX_ELASTIC}] pixels: farther, the image can fold over itself"
    require(0 <= augment.elastic <= MAX_ELASTIC, "augment.elastic", rule, augment.elastic)
    rule = f"between 0 and train.epochs ({epochs})"
    require(0 <= augment.clean_epochs <= epochs, "augment.clean_epochs", rule, augment.clean_epochs)


def _check_train(train: TrainConfig, folds: int, require: Require) -> None:
    for name, most in (("epochs", MAX_EPOCHS), ("batch_size", MAX_BATCH), ("patience", MAX_PATIENCE)):
        value = getattr(train, name)
        require(1 <= value <= most, f"train.{name}", f"at least 1, at most {most}", value)
    rule = f"above 0, at most {MAX_RATE}"
    require(0 < train.learning_rate <= MAX_RATE, "train.learning_rate", rule, train.learning_rate)
    rule = "in [0, learning_rate]"
    require(
        0 <= train.min_learning_rate <= train.learning_rate, "train.min_learning_rate", rule, train.min_learning_rate
    )
    require(0 <= train.warmup < 1, "train.warmup", "in [0, 1)", train.warmup)
    require(0 <= train.weight_decay < 1, "train.weight_decay", "in [0, 1)", train.weight_decay)
    require(0 <= train.label_smoothing < 1, "train.label_smoothing", "in [0, 1)", train.label_smoothing)
    require(0 <= train.ema_momentum < 1, "train.ema_momentum", "in [0, 1)", train.ema_momentum)
    if train.schedule == "plateau":
        require(folds > 0, "train.schedule", "'cosine' when folds is 0: plateau watches validation", "plateau")
        require(train.warmup == 0, "train.warmup", "0 with schedule 'plateau'", train.warmup)
    if train.optimizer != "adamw":
        require(train.weight_decay == 0, "train.weight_decay", "0 unless optimizer is 'adamw'", train.weight_decay)


def validate(config: RunConfig) -> None:
    """Raise a UserError that lists every problem of a config; do nothing when it is sound."""
    if found := problems(config):
        raise UserError("the config cannot be run:\n" + "\n".join(f"  - {problem}" for problem in found))
