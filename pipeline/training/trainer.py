"""Network, optimizer and compiled steps, built once per kind of network in a worker process and reset for each member.

So compilation is paid once, and the labelled images are copied to the device once.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline.config.schema import MemberSpec, TrainConfig
from pipeline.data.digits import CLASSES
from pipeline.network.activations import SwishBeta
from pipeline.network.architectures import ARCHITECTURES, logits_model
from pipeline.training.fresh_statistics import STATISTICS_IMAGES, FreshStatistics
from pipeline.training.steps import STEPS_PER_CALL, XlaSteps, compiled_steps

PREDICT_BATCH = 1000  # images at most
NOT_DECAYED = ["bias", "beta", "gamma"]  # layer biases, batch normalisation, swish_beta


class Trainer:
    """Network, optimizer and compiled steps of one kind of member.

    Args:
        spec: What to train; its seed and fold do not matter here.
        policy: Keras dtype policy of the layers.
        images: uint8, shape (n, 28, 28): all labelled images; steps name their rows.
        labels: uint8, shape (n,).
    """

    def __init__(self, spec: MemberSpec, policy: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
        recipe, config = spec.recipe, spec.recipe.train
        build = ARCHITECTURES[recipe.architecture]
        self._build = lambda seed: build(spec.activation, seed, policy, recipe.width, recipe.dropout)
        self._images = images
        self.network = self._build(0)
        self._statistics = FreshStatistics(self.network) if config.fresh_statistics else None
        self.network.jit_compile = keras.backend.backend() == "jax"  # XLA on CPU slows convolutions 5 to 10 times
        self.optimizer = make_optimizer(config, policy)
        self.optimizer.build(self.network.trainable_variables)
        self._fresh_optimizer = [_copied(variable) for variable in self.optimizer.variables]
        self.steps = compiled_steps(logits_model(self.network), self.optimizer, config, images, labels)

    @property
    def variables(self) -> list[Any]:
        """Everything that changes in training: weights, normalisation statistics, dropout's generators, optimizer."""
        return [*self.network.variables, *self.optimizer.variables]

    @property
    def xla(self) -> str:
        """What of a training step XLA compiles, for the records."""
        if not isinstance(self.steps, XlaSteps):
            return "whole step" if keras.backend.backend() == "jax" else "element-wise functions"
        return "whole step" if self.steps.refusal is None else f"refused: {self.steps.refusal}"

    def warnings(self) -> list[str]:
        """What of the training so far a user should know."""
        found = []
        if isinstance(self.steps, XlaSteps) and self.steps.refusal:
            found.append(f"XLA did not compile the training step, so it is slower: {self.steps.refusal}")
        scaled = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        if scaled and float(ops.convert_to_numpy(self.optimizer.dynamic_scale)) < 1:
            found.append(
                "the loss scale of float16 fell below 1: gradients overflow, and steps are skipped. Lower "
                "--train.learning-rate, or train with --train.precision float32."
            )
        return found

    def reset(self, seed: int) -> None:
        """Return to the state before the first step, with the weights and dropout draws of that seed."""
        fresh = [*self._build(seed).variables, *self._fresh_optimizer]
        for variable, value in zip(self.variables, fresh, strict=True):
            variable.assign(value)

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of what the arms share.

        That is the network's variables but swish_beta's β, and the states of dropout's generators, which all of their
        draws follow from.
        """
        weights, dropout = hashlib.sha256(), hashlib.sha256()
        for layer in self.network.layers:
            for variable in [] if isinstance(layer, SwishBeta) else layer.variables:
                weights.update(_copied(variable).tobytes())
            if isinstance(layer, keras.layers.Dropout):
                dropout.update(_copied(layer.seed_generator.state).tobytes())
        return {"initial_weights": weights.hexdigest(), "dropout": dropout.hexdigest()}

    def run(self, rows: Any, transforms: NDArray[np.float32], rates: NDArray[np.float32]) -> tuple[float, int]:
        """Train some steps in one compiled call.

        Args:
            rows: integers, shape (steps, batch), STEPS_PER_CALL steps at most: the labelled rows of each step.
            transforms: float32, shape (steps, batch, DRAWS_PER_IMAGE), for `apply_transforms`.
            rates: float32, shape (steps,): the learning rate of each step.

        Returns:
            The sum over the steps of the batch's mean loss, and the number of images classified right.
        """
        count, arrays = len(rows), (np.asarray(rows, np.int64), transforms, rates)
        left = STEPS_PER_CALL - count
        padded = [np.pad(array, [(0, left), *[(0, 0)] * (array.ndim - 1)]) for array in arrays]
        loss, correct = self.steps(count, *padded)
        return float(loss), int(correct)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities, float32 of shape (n, 10), of uint8 images of shape (n, 28, 28)."""
        count = -(-len(images) // PREDICT_BATCH)
        padding = -len(images) % count if count else 0  # all batches of one shape: one compilation
        padded = np.pad(images, ((0, padding), (0, 0), (0, 0)))[..., None]
        batches = np.split(padded, count) if count else []
        probabilities = [np.asarray(self.network.predict_on_batch(b.astype(np.float32))) for b in batches]
        return np.concatenate([*probabilities, np.empty((0, CLASSES), np.float32)])[: len(images)]

    def finalize(self, training_rows: NDArray[np.int64]) -> None:
        """Give the network the weights to be used: their moving average or fresh statistics, if the config asks."""
        self.optimizer.finalize_variable_values(self.network.trainable_variables)
        for variable in self.network.trainable_variables:
            # Under JAX it shares the array of the average, which Keras's prediction would delete with its own.
            variable.assign(_copied(variable))
        if self._statistics:
            count = min(STATISTICS_IMAGES, len(training_rows))
            evenly = np.arange(count) * len(training_rows) // count  # the file may be sorted by digit
            self._statistics.recompute(self._images[training_rows[evenly]])

    @contextmanager
    def final_weights(self, training_rows: NDArray[np.int64]) -> Iterator[None]:
        """Within the block the network has the weights that would be used if training ended now."""
        raw = [_copied(variable) for variable in self.network.variables]
        self.finalize(training_rows)
        yield
        for variable, value in zip(self.network.variables, raw, strict=True):
            variable.assign(value)


def make_optimizer(config: TrainConfig, policy: str) -> keras.optimizers.Optimizer:
    """The optimizer that a config names, with loss scaling where float16 would underflow."""
    kind = {
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
    }[config.optimizer]
    options: dict[str, Any] = {"weight_decay": config.weight_decay} if config.optimizer == "adamw" else {}
    if config.ema_momentum:
        options |= {"use_ema": True, "ema_momentum": config.ema_momentum}
    optimizer = kind(config.learning_rate, **options)
    optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    return keras.optimizers.LossScaleOptimizer(optimizer) if policy == "mixed_float16" else optimizer


def _copied(variable: keras.Variable) -> NDArray[Any]:
    """Its value, which no later step of training can reach."""
    return np.array(ops.convert_to_numpy(variable))
