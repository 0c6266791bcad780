"""Trainers for the tests of training, and steps for them to take; apart from factories.py because this loads Keras."""

import itertools
from contextlib import contextmanager

import keras
import numpy as np
import pytest
from factories import changed
from keras import layers, ops

from pipeline.config.schema import OWN_ACTIVATIONS, AugmentConfig, MemberSpec, Recipe, TrainConfig
from pipeline.data.augment import DRAWS_PER_IMAGE, draw_transforms
from pipeline.network import architectures, dropout, normalization
from pipeline.network.activations import activation_layer
from pipeline.network.architectures import ARCHITECTURES
from pipeline.network.dropout import Dropout
from pipeline.network.normalization import BatchNormalization
from pipeline.training import steps as steps_module
from pipeline.training.trainer import Trainer


@contextmanager
def deterministic():
    """Within the block TensorFlow computes as in a worker on the CPU; afterwards as before."""
    import tensorflow as tf
    from tensorflow.python.framework import config

    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        config.disable_op_determinism()


def compiled(function):
    """The function as one graph of the backend."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


CONFIG = TrainConfig(batch_size=20, optimizer="adam", schedule="cosine", precision="float32")
DISTORTION = AugmentConfig(rotation=15, zoom=0.1, shift=0.1, shear=10, elastic=1)
SPEC = MemberSpec(
    Recipe(architecture="small", folds=0, augment=DISTORTION, train=CONFIG), activation="swish", seed=0, fold=None
)


def small(activation, seed, policy="float32", width=1, dropout=1.0):
    """A network with a layer of each kind, which compiles in a second."""
    init = keras.initializers.GlorotUniform(seed)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255, dtype=policy),
            layers.Conv2D(8 * width, 5, 3, kernel_initializer=init, dtype=policy),
            activation_layer(activation, policy),
            BatchNormalization(momentum=0.9, dtype=policy),
            layers.Flatten(dtype=policy),
            Dropout(0.4 * dropout, seed=seed, dtype=policy),
            layers.Dense(10, kernel_initializer=init, name="logits", dtype="float32"),
            layers.Softmax(dtype="float32"),
        ]
    )


def trainer(digits, config=CONFIG, policy="float32", **changes):
    """A trainer of SPEC but for the changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "small", small)
        return Trainer(changed(SPEC, train=config, **changes), policy, digits.images, digits.labels)


def simulate_gpu(monkeypatch, gpu=True):
    """Let the modules that ask take TensorFlow's device for a GPU, so that their code for GPUs runs on the CPU."""
    for module in (dropout, normalization, steps_module):
        monkeypatch.setattr(module, "on_tensorflow_cpu", lambda: not gpu)


def take_turns(monkeypatch, architecture):
    """Give each layer of a network the activation of the next arm, so that it has the operations of all arms."""
    build = ARCHITECTURES[architecture]

    def mixed(*settings):
        arms = itertools.cycle(OWN_ACTIVATIONS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(architectures, "activation_layer", lambda _, dtype: activation_layer(next(arms), dtype))
            return build(*settings)

    monkeypatch.setitem(ARCHITECTURES, architecture, mixed)


def steps(count, batch=20, rate=1e-3):
    """Rows, transforms and rates, none of them neutral: each image is distorted, and each step has its own rate."""
    generator = np.random.default_rng(1)
    rows = generator.integers(0, 100, (count, batch)).astype(np.int32)
    transforms = draw_transforms(DISTORTION, count * batch, generator).reshape(count, batch, DRAWS_PER_IMAGE)
    return rows, transforms, np.linspace(rate, rate / 2, count, dtype=np.float32)


def weights(t):
    """Copies of a trainer's trainable variables."""
    return [np.array(ops.convert_to_numpy(v)) for v in t.network.trainable_variables]
