"""The compiled side of training: many steps per call, on data that stays on the device.

A Trainer is built once per kind of network in a worker process and reset for each member, so compilation is paid once.
The labelled images are on the device as uint8; a step gathers its rows, augments them, and updates the weights. The
two backends differ in one function each, `_tensorflow_steps` and `_jax_steps`; everything else is Keras.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline.activations import SwishBeta
from pipeline.augment import apply_transforms
from pipeline.config import TrainConfig
from pipeline.device import on_tensorflow_cpu
from pipeline.models import ARCHITECTURES, CLASSES, logits_model

PREDICT_BATCH = 1000  # images at most
NOT_DECAYED = ["bias", "beta", "gamma"]  # layer biases, batch normalisation, swish_beta

# (rows, transforms, rates) of some steps -> (sum of losses over the steps, number of images classified right)
RunSteps = Callable[[Any, Any, Any], tuple[Any, Any]]


class Trainer:
    """Network, optimizer and compiled steps of one kind of member.

    Args:
        architecture: A name in `pipeline.models.ARCHITECTURES`.
        activation: Name of the arm's activation.
        config: How to train.
        policy: Keras dtype policy of the layers.
        images: uint8, shape (n, 28, 28): all labelled images; steps name their rows.
        labels: uint8, shape (n,).
    """

    def __init__(
        self,
        architecture: str,
        activation: str,
        config: TrainConfig,
        policy: str,
        images: NDArray[np.uint8],
        labels: NDArray[np.uint8],
    ) -> None:
        self._build = lambda seed: ARCHITECTURES[architecture](activation, seed, policy)
        self.network = self._build(0)
        self.network.jit_compile = keras.backend.backend() == "jax"  # XLA on CPU slows convolutions 5 to 10 times
        self.optimizer = make_optimizer(config, policy)
        self.optimizer.build(self.network.trainable_variables)
        self._fresh_optimizer = [_copied(variable) for variable in self.optimizer.variables]
        make_steps = {"tensorflow": _tensorflow_steps, "jax": _jax_steps}[keras.backend.backend()]
        self._run = make_steps(
            logits_model(self.network),
            self.optimizer,
            config,
            ops.convert_to_tensor(images[..., None]),
            ops.convert_to_tensor(labels, dtype="int32"),
        )

    @property
    def variables(self) -> list[Any]:
        """Everything that changes in training: weights, normalisation statistics, dropout's generators, optimizer."""
        return [*self.network.variables, *self.optimizer.variables]

    def reset(self, seed: int) -> None:
        """Return to the state before the first step, with the weights and dropout draws of that seed."""
        fresh = [*self._build(seed).variables, *self._fresh_optimizer]
        for variable, value in zip(self.variables, fresh, strict=True):
            variable.assign(value)

    def shared_digest(self) -> str:
        """SHA-256 of the network's variables, but for those that only some arms have: swish_beta's β."""
        content = hashlib.sha256()
        for layer in self.network.layers:
            if not isinstance(layer, SwishBeta):
                for variable in layer.variables:
                    content.update(_copied(variable).tobytes())
        return content.hexdigest()

    def run(self, rows: Any, transforms: NDArray[np.float32], rates: NDArray[np.float32]) -> tuple[float, int]:
        """Train some steps in one compiled call.

        Args:
            rows: int32, shape (steps, batch): the labelled rows of each step.
            transforms: float32, shape (steps, batch, 8), for `apply_transforms`.
            rates: float32, shape (steps,): the learning rate of each step.

        Returns:
            The sum over the steps of the batch's mean loss, and the number of images classified right.
        """
        loss, correct = self._run(rows, transforms, rates)
        return float(loss), int(correct)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities, float32 of shape (n, 10), of uint8 images of shape (n, 28, 28)."""
        count = -(-len(images) // PREDICT_BATCH)
        padding = -len(images) % count if count else 0  # all batches of one shape: one compilation
        padded = np.pad(images, ((0, padding), (0, 0), (0, 0)))[..., None]
        batches = np.split(padded, count) if count else []
        probabilities = [np.asarray(self.network.predict_on_batch(b.astype(np.float32))) for b in batches]
        return np.concatenate([*probabilities, np.empty((0, CLASSES), np.float32)])[: len(images)]

    @contextmanager
    def final_weights(self) -> Iterator[None]:
        """Within the block the network has the weights that would be used if training ended now.

        They are the moving average where the config asks for one, otherwise the weights as they are.
        """
        weights = self.network.trainable_variables
        raw = [_copied(weight) for weight in weights]
        self.optimizer.finalize_variable_values(weights)
        yield
        for weight, value in zip(weights, raw, strict=True):
            weight.assign(value)


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


def _loss(labels: Any, logits: Any, label_smoothing: float) -> Any:
    """Mean cross-entropy of a batch, in float32."""
    targets = ops.one_hot(labels, CLASSES, dtype="float32")
    return ops.mean(
        keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=label_smoothing)
    )


def _correct(labels: Any, logits: Any) -> Any:
    return ops.sum(ops.cast(ops.equal(ops.argmax(logits, axis=-1), ops.cast(labels, "int32")), "int32"))


def _tensorflow_steps(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, config: TrainConfig, images: Any, labels: Any
) -> RunSteps:
    import tensorflow as tf

    def update(batch: Any, truth: Any, rate: Any) -> tuple[Any, Any]:
        optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            logits = model(batch, training=True)
            loss = _loss(truth, logits, config.label_smoothing)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(scaled, model.trainable_variables), model.trainable_variables)
        return loss, _correct(truth, logits)

    if not on_tensorflow_cpu():
        # One fused program a step. Not the augmentation: XLA does not know TensorFlow's resampling.
        update = tf.function(update, jit_compile=True, autograph=False)

    # The number of steps varies between calls; a batch of known size lets oneDNN choose its kernels once.
    @tf.function(
        input_signature=(
            tf.TensorSpec((None, config.batch_size), tf.int32),
            tf.TensorSpec((None, config.batch_size, 8), tf.float32),
            tf.TensorSpec((None,), tf.float32),
        )
    )
    def run(rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
        total, correct = tf.constant(0.0), tf.constant(0)
        for step in tf.range(tf.shape(rows)[0]):
            batch = apply_transforms(tf.gather(images, rows[step]), transforms[step])
            loss, right = update(batch, tf.gather(labels, rows[step]), rates[step])
            total += loss
            correct += right
        return total, correct

    return run


def _jax_steps(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, config: TrainConfig, images: Any, labels: Any
) -> RunSteps:
    import jax

    rate_at = next(i for i, v in enumerate(optimizer.variables) if v is optimizer.learning_rate)

    def loss_of(weights: Any, state: Any, slots: Any, batch: Any, truth: Any) -> Any:
        logits, state = model.stateless_call(weights, state, batch, training=True)
        loss = _loss(truth, logits, config.label_smoothing)
        return _scaled(optimizer, slots, loss), (loss, _correct(truth, logits), state)

    @jax.jit
    def run(variables: Any, rows: Any, transforms: Any, rates: Any) -> Any:
        def step(carry: Any, inputs: Any) -> Any:
            weights, state, slots = carry
            row, transform, rate = inputs
            batch = apply_transforms(images[row], transform)
            slots = [*slots[:rate_at], rate, *slots[rate_at + 1 :]]
            gradient = jax.grad(loss_of, has_aux=True)
            gradients, (loss, correct, state) = gradient(weights, state, slots, batch, labels[row])
            weights, slots = optimizer.stateless_apply(slots, gradients, weights)
            return (weights, state, slots), (loss, correct)

        variables, (losses, corrects) = jax.lax.scan(step, variables, (rows, transforms, rates))
        return variables, losses.sum(), corrects.sum()

    def run_and_assign(rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
        groups: Sequence[Sequence[Any]] = (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
        values, loss, correct = run(tuple([v.value for v in group] for group in groups), rows, transforms, rates)
        for group, new in zip(groups, values, strict=True):
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)
        return loss, correct

    return run_and_assign


def _scaled(optimizer: keras.optimizers.Optimizer, slots: Any, loss: Any) -> Any:
    """The loss as the optimizer wants it differentiated, under JAX, where its variables are passed by value."""
    mapping = list(zip(optimizer.variables, slots, strict=True))
    with keras.StatelessScope(state_mapping=mapping):
        return optimizer.scale_loss(loss)
