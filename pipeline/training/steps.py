"""Many training steps as one compiled call, on data that stays on the device.

A step gathers its rows, augments them, and updates the weights. The two backends differ in one function each; all that
is in them besides the loops is Keras.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from pipeline.config.schema import TrainConfig
from pipeline.data.augment import DRAWS_PER_IMAGE, apply_transforms
from pipeline.data.digits import CLASSES
from pipeline.network.device import on_tensorflow_cpu

# (rows, transforms, rates) of some steps -> (sum of losses over the steps, number of images classified right)
RunSteps = Callable[[Any, Any, Any], tuple[Any, Any]]


def compiled_steps(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, config: TrainConfig, images: Any, labels: Any
) -> RunSteps:
    """The training steps of a network as one function.

    Args:
        model: Up to its logits.
        optimizer: Built for the model's trainable variables.
        config: How to train.
        images: uint8 tensor on the device, shape (n, 28, 28, 1).
        labels: int32 tensor on the device, shape (n,).
    """
    make = {"tensorflow": _tensorflow_steps, "jax": _jax_steps}[keras.backend.backend()]
    return make(model, optimizer, config, images, labels)


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
            tf.TensorSpec((None, config.batch_size, DRAWS_PER_IMAGE), tf.float32),
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
