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
from pipeline.records.members import History, Member
from pipeline.records.scores import log_loss
from pipeline.training.checkpoint import restore, save
from pipeline.training.draws import WEIGHTS, derive_seed, draw_epoch
from pipeline.training.messages import Progress
from pipeline.training.schedule import learning_rates
from pipeline.training.steps import STEPS_PER_CALL
from pipeline.training.trainer import Trainer

SHORT_DIGEST = 16  # characters of a digest that are kept and shown


class DivergedError(Exception):
    """The loss, weights or probabilities of a member are no numbers; training it again would end the same way."""

    def __init__(self, what: str, spec: MemberSpec) -> None:
        train = spec.recipe.train
        or_warm_up = " or raise --train.warmup" if train.schedule == "cosine" else ""
        super().__init__(
            f"{what}: training of {spec.id} diverged. Lower --train.learning-rate (now {train.learning_rate:g})"
            f"{or_warm_up}."
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
    policy = resolve_precision(spec.recipe.train.precision)
    kind = replace(spec, seed=0, fold=None)
    if kind not in trainers:
        trainers[kind] = Trainer(kind, policy, digits.images, digits.labels)
    trainer = trainers[kind]
    trainer.reset(derive_seed(spec, WEIGHTS))
    fingerprints = trainer.fingerprints()
    environment = {**describe_environment(), "precision": policy}
    made_with = {
        "config": digest(spec)[:SHORT_DIGEST],
        "data": digits.digest()[:SHORT_DIGEST],
        **{name: environment[name] for name in ("precision", "device", "keras", keras.backend.backend())},
    }
    training = _Training(spec, digits, trainer, watch)
    history, draws = training.run(checkpoints, made_with)
    trainer.finalize(training.rows)
    member = Member(
        spec=spec,
        history=history,
        validation_rows=training.validation,
        validation_probabilities=training.probabilities(digits.images[training.validation]),
        test_probabilities=training.probabilities(digits.test_images),
        environment={**environment, "xla": trainer.xla},
        fingerprints={
            "rows": hashlib.sha256(training.rows.tobytes() + training.validation.tobytes()).hexdigest(),
            "draws": draws,
            **fingerprints,
        },
    )
    return member, trainer.network


class _Training:
    """A member on its way."""

    def __init__(self, spec: MemberSpec, digits: Digits, trainer: Trainer, watch: Callable[[Progress], None]) -> None:
        self._spec, self._digits, self._trainer, self._watch = spec, digits, trainer, watch
        self.rows, self.validation = split_rows(spec, digits)
        self._batch = spec.recipe.train.batch_size
        self._steps = len(self.rows) // self._batch

    def run(self, checkpoints: Path, made_with: Mapping[str, str]) -> tuple[History, str]:
        """Train the epochs that are left; the history of all, and the SHA-256 of all draws."""
        recipe = self._spec.recipe
        history, warnings = restore(checkpoints, made_with, self._trainer.variables)
        shown: set[str] = set()

        def warn_once(texts: Sequence[str]) -> None:
            for text in texts:
                if text not in shown:
                    self._watch(Progress(len(history), 0, self._steps, math.nan, math.nan, warning=text))
            shown.update(texts)

        warn_once(warnings)
        self._watch(Progress(len(history), 0, self._steps, math.nan, math.nan, device=found_device()))
        all_draws = hashlib.sha256()
        for epoch in range(1, recipe.train.epochs + 1):
            started = time.perf_counter()
            rows, transforms = draw_epoch(self._spec, epoch, self.rows, self._digits.images.shape[1])
            all_draws.update(rows.tobytes() + transforms.tobytes())
            if epoch <= len(history):
                continue  # trained before this process; its draws are part of the fingerprint all the same
            rates = learning_rates(recipe.train, self._steps, history)
            loss, accuracy = self._epoch(epoch, rows, transforms, rates)
            record = {
                "epoch": epoch,
                "learning_rate": float(rates[-1]),
                "loss": loss,
                "accuracy": accuracy,
                **self._validation_metrics(),
                "seconds": time.perf_counter() - started,
            }
            history = [*history, record]
            save(checkpoints, made_with, self._trainer.variables, history)
            warn_once(self._trainer.warnings())
            self._watch(Progress(epoch, self._steps, self._steps, loss, accuracy, record))
        return history, all_draws.hexdigest()

    def _epoch(
        self, epoch: int, rows: NDArray[np.int32], transforms: NDArray[np.float32], rates: NDArray[np.float32]
    ) -> tuple[float, float]:
        """Train one epoch; the mean loss and the accuracy over its (augmented) images."""
        loss_sum, correct, done = 0.0, 0, 0
        while done < self._steps:
            part = slice(done, done + STEPS_PER_CALL)
            loss, right = self._trainer.run(rows[part], transforms[part], rates[part])
            loss_sum, correct, done = loss_sum + loss, correct + right, done + len(rows[part])
            if not math.isfinite(loss):
                raise DivergedError(f"the loss is {loss} in epoch {epoch}, by step {done}", self._spec)
            self._watch(Progress(epoch, done, self._steps, loss_sum / done, correct / (done * self._batch)))
        return loss_sum / self._steps, correct / (self._steps * self._batch)

    def _validation_metrics(self) -> dict[str, float]:
        """Of the weights that would be used if training ended now; none where no rows validate."""
        with self._trainer.final_weights(self.rows) if len(self.validation) else nullcontext():
            probabilities = self.probabilities(self._digits.images[self.validation])
        if not len(self.validation):
            return {}
        labels = self._digits.labels[self.validation]
        of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        return {
            "validation_loss": log_loss(of_truth),
            "validation_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        }

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the network says of images.

        Raises:
            DivergedError: a weight or a probability is not finite. The loss is taken before an update, so that of the
                last one shows only here.
        """
        probabilities = self._trainer.predict(images)
        broken = [variable.path for variable in self._trainer.network.variables if not np.isfinite(variable).all()]
        if broken or not np.isfinite(probabilities).all():
            what = broken[0] if broken else "a probability"
            raise DivergedError(f"{what} is not finite after the last step", self._spec)
        return probabilities
