"""One member: seeds, schedule, epochs, checkpoint, resume, predict.

A member is a pure function of its spec and the data. All that is random in epoch e (the order of rows, the
augmentation) is drawn on the host from (seed, fold, e), and dropout's generators are among the checkpointed variables;
so the arms of one seed share every draw, and a resumed member ends in the same bits as an uninterrupted one.
"""

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import MemberSpec, digest
from pipeline.data.digits import Digits
from pipeline.data.folds import split_rows
from pipeline.device.accelerator import describe_environment, found_device, resolve_precision
from pipeline.network.activations import recorded_curves
from pipeline.records.members import History, Member
from pipeline.records.scores import log_loss
from pipeline.training.checkpoint import restore, save
from pipeline.training.draws import WEIGHTS, derive_seed, draw_epoch
from pipeline.training.messages import Progress
from pipeline.training.schedule import learning_rates
from pipeline.training.steps import STEPS_PER_CALL
from pipeline.training.trainer import Trainer

SHORT_DIGEST = 16  # characters of a digest that are kept and told


class DivergedError(Exception):
    """The loss, weights or probabilities of a member are no numbers; training it again would end the same way."""

    def __init__(self, what: str, spec: MemberSpec) -> None:
        super().__init__(
            f"{what}: training of {spec.id} diverged. "
            f"Lower --train.learning-rate (now {spec.recipe.train.learning_rate:g}) or add warm-up."
        )


def train_member(
    spec: MemberSpec,
    digits: Digits,
    checkpoints: Path,
    trainers: dict[Any, Trainer],
    watch: Callable[[Progress], None],
) -> tuple[Member, keras.Model]:
    """Train one member, from its last checkpoint if it has one.

    Args:
        spec: The member.
        digits: The data; its held-back labels are not looked at.
        checkpoints: Folder of this member's checkpoints, empty at first.
        trainers: Trainers that this process compiled before; one is added when there is none for this kind.
        watch: Called after every few steps and at the end of each epoch.

    Returns:
        The finished member and its network.

    Raises:
        DivergedError: the loss, a weight or a probability became NaN or infinite.
    """
    rows = split_rows(spec, digits)
    policy = resolve_precision(spec.recipe.train.precision)
    kind = replace(spec, seed=0, fold=None)
    if kind not in trainers:
        trainers[kind] = Trainer(kind, policy, digits.images, digits.labels)
    trainer = trainers[kind]
    trainer.reset(derive_seed(spec, WEIGHTS))
    initial_weights, dropout = trainer.shared_digest(), trainer.dropout_digest()
    environment = {**describe_environment(), "precision": policy}
    kept = _Checkpoints(checkpoints, spec, digits, environment)
    history, draws = _train_epochs(trainer, spec, digits, rows, kept, watch)
    training, validation = rows
    trainer.finalize(training)
    member = Member(
        spec=spec,
        history=history,
        validation_rows=validation,
        validation_probabilities=_probabilities(trainer, spec, digits.images[validation]),
        test_probabilities=_probabilities(trainer, spec, digits.test_images),
        environment={**environment, "xla": trainer.xla},
        fingerprints={
            "rows": hashlib.sha256(training.tobytes() + validation.tobytes()).hexdigest(),
            "draws": draws,
            "initial_weights": initial_weights,
            "dropout": dropout,
        },
        activations=recorded_curves(trainer.network),
    )
    return member, trainer.network


class _Checkpoints:
    """A member's checkpoints, which only the same spec and data on the same device and versions can restore."""

    def __init__(self, folder: Path, spec: MemberSpec, digits: Digits, environment: Mapping[str, str]) -> None:
        self._folder = folder
        here = ("precision", "device", "keras", keras.backend.backend())
        self._made_with = {
            "config": digest(spec)[:SHORT_DIGEST],
            "data": digits.digest()[:SHORT_DIGEST],
            **{name: environment[name] for name in here},
        }

    def restore(self, trainer: Trainer) -> tuple[History, list[str]]:
        return restore(self._folder, self._made_with, trainer.variables)

    def save(self, trainer: Trainer, history: History) -> None:
        save(self._folder, self._made_with, trainer.variables, history)


def _train_epochs(
    trainer: Trainer,
    spec: MemberSpec,
    digits: Digits,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    checkpoints: _Checkpoints,
    watch: Callable[[Progress], None],
) -> tuple[History, str]:
    """Train the epochs that are left; the history of all, and the SHA-256 of all draws."""
    training, validation = rows
    steps = len(training) // spec.recipe.train.batch_size
    history, warnings = checkpoints.restore(trainer)
    told: set[str] = set()

    def warn_once(texts: Sequence[str]) -> None:
        for text in texts:
            if text not in told:
                watch(Progress(len(history), 0, steps, math.nan, math.nan, warning=text))
        told.update(texts)

    warn_once(warnings)
    watch(Progress(len(history), 0, steps, math.nan, math.nan, device=found_device()))
    all_draws = hashlib.sha256()
    for epoch in range(1, spec.recipe.train.epochs + 1):
        started = time.perf_counter()
        draws = draw_epoch(spec, epoch, training, digits.images.shape[1])
        all_draws.update(draws[0].tobytes() + draws[1].tobytes())
        if epoch <= len(history):
            continue  # trained before this process; its draws are part of the fingerprint all the same
        rates = learning_rates(spec.recipe.train, steps, history)
        loss, accuracy = _train_epoch(trainer, spec, epoch, *draws, rates, watch)
        with trainer.final_weights(training) if len(validation) else nullcontext():
            probabilities = _probabilities(trainer, spec, digits.images[validation])
        record = {
            "epoch": epoch,
            "learning_rate": float(rates[-1]),
            "loss": loss,
            "accuracy": accuracy,
            **_validation_metrics(probabilities, digits.labels[validation]),
            "seconds": time.perf_counter() - started,
        }
        history = [*history, record]
        checkpoints.save(trainer, history)
        warn_once(trainer.warnings())
        watch(Progress(epoch, steps, steps, loss, accuracy, record))
    return history, all_draws.hexdigest()


def _train_epoch(
    trainer: Trainer,
    spec: MemberSpec,
    epoch: int,
    rows: NDArray[np.int32],
    transforms: NDArray[np.float32],
    rates: NDArray[np.float32],
    watch: Callable[[Progress], None],
) -> tuple[float, float]:
    """Train one epoch; the mean loss and the accuracy over its (augmented) images."""
    steps, batch = rows.shape
    loss_sum, correct = 0.0, 0
    for start in range(0, steps, STEPS_PER_CALL):
        part = slice(start, start + STEPS_PER_CALL)
        loss, right = trainer.run(rows[part], transforms[part], rates[part])
        loss_sum, correct, done = loss_sum + loss, correct + right, start + len(rows[part])
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss} in epoch {epoch}, by step {done}", spec)
        watch(Progress(epoch, done, steps, loss_sum / done, correct / (done * batch)))
    return loss_sum / steps, correct / (steps * batch)


def _probabilities(trainer: Trainer, spec: MemberSpec, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network says of images; the loss is taken before an update, so that of the last one shows only here."""
    probabilities = trainer.predict(images)
    broken = [variable.path for variable in trainer.network.variables if not np.isfinite(variable).all()]
    if broken or not np.isfinite(probabilities).all():
        raise DivergedError(f"{broken[0] if broken else 'a probability'} is not finite after the last step", spec)
    return probabilities


def _validation_metrics(probabilities: NDArray[np.float32], labels: Any) -> dict[str, float]:
    if not len(labels):
        return {}
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {
        "validation_loss": log_loss(of_truth),
        "validation_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
    }
