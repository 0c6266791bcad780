"""This project's training, as a competitor: the very function that a run's workers call."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.contest import Competitor, Pause
from pipeline.config.errors import UserError
from pipeline.config.rules import validate
from pipeline.config.schema import Architecture, MemberSpec, Recipe, RunConfig, TrainConfig, member_specs
from pipeline.data.digits import load
from pipeline.data.folds import validation_folds
from pipeline.device.settings import DEFAULTS, OURS

ENVIRONMENT = {**DEFAULTS, **OURS, "TF_CPP_MIN_LOG_LEVEL": "3"}
WITHOUT_END = 100_000  # epochs


def specs_of(architecture: Architecture, arms: tuple[str, ...], train: TrainConfig, seeds: int = 1) -> list[MemberSpec]:
    """Members to compete: each arm with each seed, validated on a tenth of the rows.

    Raises:
        UserError: such members cannot be trained.
    """
    config = RunConfig(
        "benchmark", recipe=Recipe(architecture, train=replace(train, epochs=WITHOUT_END)), arms=arms, seeds=seeds
    )
    validate(config)
    return member_specs(config)


def competitor(name: str, specs: Sequence[MemberSpec], data: str, *, arithmetic_only: bool = False) -> Competitor:
    """Members that train at the same time, each in a process of its own.

    Args:
        name: What to call them.
        specs: The members.
        data: A config's `data` field.
        arithmetic_only: Leave out all but the network's own arithmetic: no augmentation, validation or checkpoints.
    """
    work = "benchmarks.ours:train_bare" if arithmetic_only else "benchmarks.ours:train_member_of"
    return Competitor(name, work, (list(specs), data), epoch_images(specs[0], data), len(specs), ENVIRONMENT)


def training_images(spec: MemberSpec, data: str) -> int:
    """How many labelled images are outside a member's fold."""
    return int((validation_folds(load(data), spec.recipe.folds, spec.recipe.split_seed) != spec.fold).sum())


def epoch_images(spec: MemberSpec, data: str) -> int:
    """How many of them an epoch has: whole batches.

    Raises:
        UserError: there is not one.
    """
    rows, batch = training_images(spec, data), spec.recipe.train.batch_size
    if rows < batch:
        raise UserError(f"train.batch_size is {batch}, but a network has only {rows} rows to train on. Lower it.")
    return rows // batch * batch


def train_member_of(pause: Pause, index: int, specs: Sequence[MemberSpec], data: str) -> None:
    """Train the member of that index as a run does: augmentation, validation and checkpoint included."""
    from pipeline.device.accelerator import configure_device
    from pipeline.training.loop import train_member
    from pipeline.training.messages import Progress

    def watch(progress: Progress) -> None:
        if progress.record:
            pause(progress.record)

    configure_device(index)
    with tempfile.TemporaryDirectory() as folder:
        train_member(specs[index], load(data), Path(folder), {}, watch)


def train_bare(pause: Pause, index: int, specs: Sequence[MemberSpec], data: str) -> None:
    """Train on the same images over and over, as they are."""
    from keras import ops

    from pipeline.data.folds import split_rows
    from pipeline.device.accelerator import configure_device, resolve_precision
    from pipeline.training import steps
    from pipeline.training.draws import draw_epoch
    from pipeline.training.trainer import Trainer

    configure_device(index)
    spec, digits = specs[index], load(data)
    steps.apply_transforms = lambda images, _: ops.cast(images, "float32")  # type: ignore[assignment,attr-defined]
    policy = resolve_precision(spec.recipe.train.precision)
    bare = Trainer(spec, policy, digits.images, digits.labels)
    bare.reset(0)
    rows, transforms = draw_epoch(spec, 1, split_rows(spec, digits)[0], digits.images.shape[1])
    rates = np.full(len(rows), spec.recipe.train.learning_rate, np.float32)
    while True:
        for start in range(0, len(rows), steps.STEPS_PER_CALL):
            part = slice(start, start + steps.STEPS_PER_CALL)
            bare.run(rows[part], transforms[part], rates[part])
        pause(None)
