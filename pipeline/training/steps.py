"""Many training steps as one compiled call, on data that stays on the device.

A step gathers its rows, augments them, and updates the weights. Each backend has one function here that loops over the
steps; everything else is Keras.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pipeline.config.schema import TrainConfig
from pipeline.data.augment import DRAWS_PER_IMAGE, apply_transforms
from pipeline.data.digits import CLASSES
from pipeline.device.accelerator import on_tensorflow_cpu
from pipeline.device.fusion import reason_of, xla_failure

# (rows, transforms, rates) of some steps -> (sum of losses over the steps, number of images classified right)
RunSteps = Callable[[Any, Any, Any], tuple[Any, Any]]


def compiled_steps(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    config: TrainConfig,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> RunSteps:
    """The training steps of a network as one function.

    Args:
        model: Up to its logits.
        optimizer: Built for the model's trainable variables.
        config: How to train.
        images: uint8, shape (n, 28, 28); copied to the device once.
        labels: uint8, shape (n,); likewise.
    """
    make = {"tensorflow": _tensorflow_steps, "jax": _jax_steps}[keras.backend.backend()]
    return make(model, optimizer, config, images[..., None], labels)


class XlaSteps:
    """Steps compiled by XLA, or, if it refuses to compile them, the same steps without it.

    It refuses where its tools are missing (ptxas), where it does not know an operation, and the gradient of max pooling
    on a GPU with op determinism.
    """

    def __init__(self, compiled: RunSteps, plain: RunSteps) -> None:
        self._compiled, self._plain = compiled, plain
        self._proven = False
        self.refusal = xla_failure()
        """Why XLA does not compile these steps; None as long as it does."""

    def __call__(self, rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
        """Run the steps; see `RunSteps`."""
        import tensorflow as tf

        if self.refusal is None:
            try:
                result = self._compiled(rows, transforms, rates)
            except tf.errors.ResourceExhaustedError:
                raise
            except tf.errors.OpError as error:
                # A refusal comes before the first step has changed anything; a later error is of another kind.
                if self._proven:
                    raise
                self.refusal = reason_of(error)
            else:
                self._proven = True
                return result
        return self._plain(rows, transforms, rates)


def _loss(labels: Any, logits: Any, label_smoothing: float) -> Any:
    """Mean cross-entropy of a batch, in float32."""
    targets = ops.one_hot(labels, CLASSES, dtype="float32")
    return ops.mean(
        keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=label_smoothing)
    )


def _correct(labels: Any, logits: Any) -> Any:
    """How many images of a batch are classified right, as float32: TensorFlow keeps int32 off the GPU."""
    guesses = ops.cast(ops.argmax(logits, axis=-1), labels.dtype)
    return ops.sum(ops.cast(ops.equal(guesses, labels), "float32"))


def _tensorflow_steps(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    config: TrainConfig,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> RunSteps:
    import tensorflow as tf

    # On a GPU, TensorFlow cannot gather uint8: it would copy all images to the host in every step. float16 is exact for
    # 0 to 255. Its int32 tensors live in the host's memory as well, int64 tensors do not.
    resident = tf.constant(images if on_tensorflow_cpu() else images.astype(np.float16))
    truths = tf.constant(labels, tf.int64)

    def update(batch: Any, truth: Any, rate: Any) -> tuple[Any, Any]:
        optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            logits = model(batch, training=True)
            loss = _loss(truth, logits, config.label_smoothing)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(scaled, model.trainable_variables), model.trainable_variables)
        return loss, _correct(truth, logits)

    def looped(update: Callable[[Any, Any, Any], tuple[Any, Any]]) -> RunSteps:
        # The number of steps varies between calls; a batch of known size lets oneDNN choose its kernels once.
        @tf.function(
            input_signature=(
                tf.TensorSpec((None, config.batch_size), tf.int64),
                tf.TensorSpec((None, config.batch_size, DRAWS_PER_IMAGE), tf.float32),
                tf.TensorSpec((None,), tf.float32),
            )
        )
        def run(rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
            total = correct = tf.constant(0.0)
            for step in tf.range(tf.shape(rows)[0]):
                batch = apply_transforms(tf.gather(resident, rows[step]), transforms[step])
                loss, right = update(batch, tf.gather(truths, rows[step]), rates[step])
                total += loss
                correct += right
            return total, correct

        return run

    if on_tensorflow_cpu():
        return looped(update)
    # One fused program a step. On a CPU it would slow the convolutions down, see `fusion`.
    return XlaSteps(looped(tf.function(update, jit_compile=True, autograph=False)), looped(update))


def _jax_steps(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    config: TrainConfig,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> RunSteps:
    import jax

    rate_at = next(i for i, v in enumerate(optimizer.variables) if v is optimizer.learning_rate)

    def loss_of(weights: Any, state: Any, slots: Any, batch: Any, truth: Any) -> Any:
        logits, state = model.stateless_call(weights, state, batch, training=True)
        loss = _loss(truth, logits, config.label_smoothing)
        return _scaled(optimizer, slots, loss), (loss, _correct(truth, logits), state)

    @jax.jit
    def run(variables: Any, data: Any, rows: Any, transforms: Any, rates: Any) -> Any:
        images, labels = data

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

    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    return JaxSteps(run, groups, (jax.numpy.asarray(images), jax.numpy.asarray(labels, "int32")))


class JaxSteps:
    """Steps compiled by XLA, between which the values of the variables return to the network and the optimizer."""

    def __init__(
        self, run: Callable[..., Any], groups: Sequence[Sequence[keras.Variable]], data: tuple[Any, Any]
    ) -> None:
        self.run = run
        """(values of the variables, data, rows, transforms, rates) -> (values, sum of losses, number right)."""
        self.data = data
        """Images and labels on the device."""
        self._groups = groups

    @property
    def values(self) -> tuple[list[Any], ...]:
        """The values of weights, network state and optimizer state."""
        return tuple([variable.value for variable in group] for group in self._groups)

    def __call__(self, rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
        """Run the steps; see `RunSteps`."""
        values, loss, correct = self.run(self.values, self.data, rows, transforms, rates)
        for group, new in zip(self._groups, values, strict=True):
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)
        return loss, correct


def _scaled(optimizer: keras.optimizers.Optimizer, slots: Any, loss: Any) -> Any:
    """The loss as the optimizer wants it differentiated, under JAX, where its variables are passed by value."""
    mapping = list(zip(optimizer.variables, slots, strict=True))
    with keras.StatelessScope(state_mapping=mapping):
        return optimizer.scale_loss(loss)
