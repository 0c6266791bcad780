"""What makes a config sound; every problem is reported at once, by field."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, is_dataclass
from typing import Any, cast, get_args

from pipeline.config.errors import UserError, suggest
from pipeline.config.schema import (
    KERAS_ACTIVATIONS,
    OWN_ACTIVATIONS,
    WIDTHS,
    WITHOUT_DROPOUT,
    WITHOUT_NORMALIZATION,
    Architecture,
    Recipe,
    RunConfig,
    TrainConfig,
    settings,
)

LONGEST_NAME = 100  # bytes; names of folders and files begin with it
MOST_MEMBERS = 100_000  # more is a slip of the hand, and only listing them would take minutes
# The least and the greatest value of each field, and why that is the greatest, where it is not plain.
RANGES: dict[str, tuple[float, float, str]] = {
    "seeds": (1, 1000, ""),
    "first_seed": (0, 1_000_000, ""),
    "folds": (0, 1000, ""),
    "split_seed": (0, 2**32 - 1, "what scikit-learn takes"),
    "dropout": (0, 1.9, "a factor, and the largest rate of a network is 0.5"),
    "augment.rotation": (0, 180, "degrees"),
    # A digit is about 20 pixels high and wide, in the middle of 28: at the limits some of it is still in the image.
    "augment.zoom": (0, 0.5, "farther, a digit leaves the image or vanishes"),
    "augment.shift": (0, 0.5, "farther, most of a digit leaves the image"),
    "augment.shear": (0, 45, "farther, the top and the foot of a digit leave the image"),
    "augment.elastic": (0, 2, "farther, the image can fold over itself"),
    "train.epochs": (1, 100_000, ""),
    "train.batch_size": (1, 1_000_000, ""),
    "train.learning_rate": (1e-38, 1e38, "what float32 holds"),
    "train.patience": (1, 100_000, ""),
    "hours": (1e-3, 100_000, ""),
}
SHARES = ("train.warmup", "train.weight_decay", "train.label_smoothing", "train.ema_momentum")

Require = Callable[[bool, str, str, object], None]  # (is it sound, field, rule, what the field holds)


def problems(config: RunConfig) -> list[str]:
    """All that is wrong with a config, one line per problem naming the field and what it holds; empty when sound."""
    found = list(_of_other_types(config))
    if found:  # no other rule could read them
        return found

    def require(sound: bool, where: str, rule: str, received: object) -> None:
        if not sound:
            found.append(f"{where} must be {rule}. Received: {received!r}")

    activations, networks = OWN_ACTIVATIONS + KERAS_ACTIVATIONS, get_args(Architecture)
    for arm in config.arms:
        if arm not in activations:
            found.append(f"arms: unknown activation {arm!r}; {suggest(arm, activations)}")
    if (network := config.recipe.architecture) not in networks:
        found.append(f"architecture: unknown network {network!r}; {suggest(network, networks)}")
    values = settings(asdict(config))
    for name, (least, greatest, why) in RANGES.items():
        if (value := values[name]) is not None:
            rule = f"between {least:,} and {greatest:,}" + (f": {why}" if why else "")
            require(least <= value <= greatest, name, rule, value)
    for name in SHARES:
        require(0 <= values[name] < 1, name, "in [0, 1)", values[name])
    _check_run(config, require)
    _check_recipe(config.recipe, require)
    _check_train(config.recipe.train, config.recipe.folds, require)
    return found


def _of_other_types(part: Any, prefix: str = "") -> Iterator[str]:
    """Fields of a config that hold another type than they say; a script can put anything there."""
    from pydantic import TypeAdapter, ValidationError  # 0.1 s, which --help does not need

    for each in fields(part):
        value, name, kind = getattr(part, each.name), prefix + each.name, cast(Any, each.type)
        if isinstance(value, str) and each.name in ("architecture", "data", "out"):
            continue  # has a rule of its own; may hold bytes that pydantic refuses
        if is_dataclass(kind) and isinstance(value, cast(type, kind)):
            yield from _of_other_types(value, "" if each.name == "recipe" else f"{name}.")
            continue
        try:
            TypeAdapter(kind).validate_python(value, strict=True)
        except ValidationError as error:
            yield f"{name}: {error.errors()[0]['msg']}. Received: {value!r}"


def _check_run(config: RunConfig, require: Require) -> None:
    require(len(config.arms) > 0, "arms", "at least one activation", config.arms)
    require(len(set(config.arms)) == len(config.arms), "arms", "free of repetitions", config.arms)
    rule = f"letters, digits, '.', '_', '-', at most {LONGEST_NAME} bytes"
    is_sound = re.fullmatch(r"\w[\w.-]*", config.name) and len(os.fsencode(config.name)) <= LONGEST_NAME
    require(bool(is_sound), "name", rule, config.name)
    for field, place in (("data", config.data), ("out", config.out)):
        require(place is None or (place != "" and "\0" not in place), field, "a place", place)
    folds = config.recipe.folds
    if folds >= 2:
        require(1 <= config.folds_used <= folds, "folds_used", f"between 1 and folds ({folds})", config.folds_used)
    else:
        require(config.folds_used == 0, "folds_used", "0 when folds is 0", config.folds_used)
    members = config.seeds * max(config.folds_used, 1) * len(config.arms)
    rule = f"so few that there are at most {MOST_MEMBERS:,} networks"
    require(members <= MOST_MEMBERS or config.seeds > RANGES["seeds"][1], "seeds", rule, config.seeds)
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
    require(recipe.folds != 1, "folds", "0 (no validation) or at least 2", recipe.folds)
    require(recipe.width in WIDTHS, "width", f"one of {WIDTHS}", recipe.width)
    if recipe.architecture in WITHOUT_DROPOUT:
        require(recipe.dropout == 1, "dropout", f"1 with {recipe.architecture}, which has no dropout", recipe.dropout)
    if recipe.architecture in WITHOUT_NORMALIZATION:
        rule = f"False with {recipe.architecture}, which has no batch normalisation"
        require(not recipe.train.fresh_statistics, "train.fresh_statistics", rule, recipe.train.fresh_statistics)
    epochs, clean = recipe.train.epochs, recipe.augment.clean_epochs
    require(0 <= clean <= epochs, "augment.clean_epochs", f"between 0 and train.epochs ({epochs})", clean)


def _check_train(train: TrainConfig, folds: int, require: Require) -> None:
    lowest = train.min_learning_rate
    highest, rule = (train.learning_rate, "learning_rate") if train.schedule == "plateau" else (1e38, "1e38")
    require(0 <= lowest <= highest, "train.min_learning_rate", f"in [0, {rule}]", lowest)
    if train.schedule == "plateau":
        require(folds > 0, "train.schedule", "'cosine' when folds is 0: plateau watches validation", "plateau")
        require(train.warmup == 0, "train.warmup", "0 with schedule 'plateau'", train.warmup)
    if train.optimizer != "adamw":
        require(train.weight_decay == 0, "train.weight_decay", "0 unless optimizer is 'adamw'", train.weight_decay)


def validate(config: RunConfig) -> None:
    """Raise a UserError that lists every problem of a config; do nothing when it is sound."""
    if found := problems(config):
        raise UserError("the config cannot be run:\n" + "\n".join(f"  - {problem}" for problem in found))
