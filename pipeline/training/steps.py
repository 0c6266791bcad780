"""Many training steps as one compiled call, on data that stays on the device.

A step gathers its rows, augments them, and updates the weights. Each backend has one function here that loops over the
steps; everything else is Keras.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers import Optimizer
from numpy.typing import NDArray

from pipeline.config.schema import TrainConfig
from pipeline.config.text import reason_of
from pipeline.data.augment import DRAWS_PER_IMAGE, apply_transforms
from pipeline.data.digits import CLASSES
from pipeline.device.accelerator import on_tensorflow_cpu
from pipeline.device.fusion import xla_failure

STEPS_PER_CALL = 32  # at most; between two calls the progress is shown, and a call costs well under a millisecond

# (number of steps, rows, transforms and rates of STEPS_PER_CALL steps, of which the others are not run) -> (sum of
# losses over the steps, number of images classified right). All calls have one shape: what they are is compiled once.
RunSteps = Callable[[int, Any, Any, Any], tuple[Any, Any]]


def compiled_steps(
    model: keras.Model, optimizer: Optimizer, config: TrainConfig, images: NDArray[np.uint8], labels: NDArray[np.uint8]
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

    def __init__(self, compiled: RunSteps, make_plain: Callable[[], RunSteps]) -> None:
        self._run, self._make_plain = compiled, make_plain
        self._proven = False
        self.refusal: str | None = None
        """Why XLA does not compile these steps; None as long as it does."""
        if failure := xla_failure():
            self.refuse(failure)

    def refuse(self, reason: str) -> None:
        """Run the steps without XLA from now on."""
        self.refusal, self._run = reason, self._make_plain()

    def __call__(self, count: int, rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
        """Run the steps; see `RunSteps`."""
        import tensorflow as tf

        try:
            result = self._run(count, rows, transforms, rates)
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError as error:
            # A refusal comes before the first step has changed anything; a later error is of another kind.
            if self._proven or self.refusal:
                raise
            self.refuse(reason_of(error))
            return self(count, rows, transforms, rates)
        self._proven = True
        return result


def _loss(labels: Any, logits: Any, label_smoothing: float) -> Any:
    """Mean cross-entropy of a batch, in float32."""
    targets = ops.one_hot(labels, CLASSES, dtype="float32")
    loss = keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=label_smoothing)
    return ops.mean(loss)


def _correct(labels: Any, logits: Any) -> Any:
    """How many images of a batch are classified right, as float32: TensorFlow keeps int32 off the GPU."""
    guesses = ops.cast(ops.argmax(logits, axis=-1), labels.dtype)
    return ops.sum(ops.cast(ops.equal(guesses, labels), "float32"))


def _tensorflow_steps(
    model: keras.Model, optimizer: Optimizer, config: TrainConfig, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> RunSteps:
    import tensorflow as tf

    truths = tf.constant(labels, tf.int64)  # on a GPU, int32 tensors live in the host's memory

    def update(batch: Any, truth: Any, rate: Any) -> tuple[Any, Any]:
        optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            logits = model(batch, training=True)
            loss = _loss(truth, logits, config.label_smoothing)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(scaled, model.trainable_variables), model.trainable_variables)
        return loss, _correct(truth, logits)

    def looped(images: NDArray[Any], **options: Any) -> RunSteps:
        resident = tf.constant(images)

        # A batch of known size lets oneDNN choose its kernels once.
        @tf.function(
            input_signature=(
                tf.TensorSpec((), tf.int32),
                tf.TensorSpec((STEPS_PER_CALL, config.batch_size), tf.int64),
                tf.TensorSpec((STEPS_PER_CALL, config.batch_size, DRAWS_PER_IMAGE), tf.float32),
                tf.TensorSpec((STEPS_PER_CALL,), tf.float32),
            ),
            autograph=False,
            **options,
        )
        def run(count: Any, rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
            def step(i: Any, total: Any, correct: Any) -> tuple[Any, Any, Any]:
                batch = apply_transforms(tf.gather(resident, rows[i]), transforms[i])
                loss, right = update(batch, tf.gather(truths, rows[i]), rates[i])
                return i + 1, total + loss, correct + right

            none = tf.constant(0.0)
            _, total, correct = tf.while_loop(lambda i, *_: i < count, step, (tf.constant(0), none, none))
            return total, correct

        return run

    if on_tensorflow_cpu():
        return looped(images)  # XLA would slow the convolutions down, see `fusion`
    # Without XLA, TensorFlow cannot gather uint8 on a GPU: it would copy all images to the host in every step. float16
    # is exact for 0 to 255.
    return XlaSteps(looped(images, jit_compile=True), lambda: looped(images.astype(np.float16)))


def _jax_steps(
    model: keras.Model, optimizer: Optimizer, config: TrainConfig, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> RunSteps:
    import jax

    rate_at = next(i for i, v in enumerate(optimizer.variables) if v is optimizer.learning_rate)

    def loss_of(weights: Any, state: Any, slots: Any, batch: Any, truth: Any) -> Any:
        logits, state = model.stateless_call(weights, state, batch, training=True)
        loss = _loss(truth, logits, config.label_smoothing)
        return _scaled(optimizer, slots, loss), (loss, _correct(truth, logits), state)

    @jax.jit
    def run(variables: Any, data: Any, count: Any, rows: Any, transforms: Any, rates: Any) -> Any:
        images, labels = data

        def step(i: Any, carry: Any) -> Any:
            (weights, state, slots), total, correct = carry
            batch = apply_transforms(images[rows[i]], transforms[i])
            slots = [*slots[:rate_at], rates[i], *slots[rate_at + 1 :]]
            gradient = jax.grad(loss_of, has_aux=True)
            gradients, (loss, right, state) = gradient(weights, state, slots, batch, labels[rows[i]])
            weights, slots = optimizer.stateless_apply(slots, gradients, weights)
            return (weights, state, slots), total + loss, correct + right

        none = jax.numpy.float32(0)
        return jax.lax.fori_loop(0, count, step, (variables, none, none))

    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    return JaxSteps(run, groups, (jax.numpy.asarray(images), jax.numpy.asarray(labels, "int32")))


class JaxSteps:
    """Steps compiled by XLA, between which the values of the variables return to the network and the optimizer."""

    def __init__(
        self, run: Callable[..., Any], groups: Sequence[Sequence[keras.Variable]], data: tuple[Any, Any]
    ) -> None:
        self.run = run
        """(values of the variables, data, and as `RunSteps`) -> (values, sum of losses, number right)."""
        self.data = data
        """Images and labels on the device."""
        self._groups = groups

    @property
    def values(self) -> tuple[list[Any], ...]:
        """The values of weights, network state and optimizer state."""
        return tuple([variable.value for variable in group] for group in self._groups)

    def __call__(self, count: int, rows: Any, transforms: Any, rates: Any) -> tuple[Any, Any]:
        """Run the steps; see `RunSteps`."""
        values, loss, correct = self.run(self.values, self.data, count, rows, transforms, rates)
        for group, new in zip(self._groups, values, strict=True):
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)
        return loss, correct


def _scaled(optimizer: Optimizer, slots: Any, loss: Any) -> Any:
    """The loss as the optimizer wants it differentiated, under JAX, where its variables are passed by value."""
    mapping = list(zip(optimizer.variables, slots, strict=True))
    with keras.StatelessScope(state_mapping=mapping):
        return optimizer.scale_loss(loss)
