"""The networks, with every activation but the last (softmax, always) given by name.

In: pixels 0..255, shape (n, 28, 28, 1). Out: probabilities, float32, shape (n, 10); the layer before the softmax is
named "logits". All random numbers come from the seed, so networks that differ only in activation start from the same
weights and drop the same units.
"""

import itertools
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import layers

from pipeline.data.digits import CLASSES, SIDE
from pipeline.network.activations import activation_layer
from pipeline.network.dropout import Dropout
from pipeline.network.normalization import BatchNormalization


def ghouzam(activation: str, seed: int, policy: str = "float32") -> keras.Model:
    """The source's network: 32C5-32C5-P2-D.25-64C3-64C3-P2-D.25-FC256-D.5-softmax, "same" padding.

    887,530 parameters with a parameter-free activation. From Yassine Ghouzam's public Kaggle notebook
    "Introduction to CNN Keras", which the source of this project took over.
    """
    seeds = _seeds(seed)

    def conv(filters: int, size: int) -> list[keras.layers.Layer]:
        init = keras.initializers.GlorotUniform(next(seeds))
        conv = layers.Conv2D(filters, size, padding="same", kernel_initializer=init, dtype=policy)
        return [conv, activation_layer(activation, policy)]

    return _network(
        [
            *conv(32, 5),
            *conv(32, 5),
            layers.MaxPooling2D(dtype=policy),
            Dropout(0.25, seed=next(seeds), dtype=policy),
            *conv(64, 3),
            *conv(64, 3),
            layers.MaxPooling2D(dtype=policy),
            Dropout(0.25, seed=next(seeds), dtype=policy),
            layers.Flatten(dtype=policy),
            layers.Dense(256, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), dtype=policy),
            activation_layer(activation, policy),
            Dropout(0.5, seed=next(seeds), dtype=policy),
        ],
        next(seeds),
        policy,
    )


def deotte(activation: str, seed: int, policy: str = "float32") -> keras.Model:
    """The stronger network: 32C3-32C3-32C5S2-D.4-64C3-64C3-64C5S2-D.4-128C4-D.4-softmax.

    Batch normalisation after each activation; "valid" padding, but "same" for the two strided convolutions that
    stand in for pooling. 327,242 parameters with a parameter-free activation. From Chris Deotte's public Kaggle
    notebook "25 Million Images! [0.99757] MNIST".
    """
    seeds = _seeds(seed)

    def conv(filters: int, size: int, stride: int = 1) -> list[keras.layers.Layer]:
        init = keras.initializers.GlorotUniform(next(seeds))
        padding = "valid" if stride == 1 else "same"
        return [
            layers.Conv2D(filters, size, stride, padding=padding, kernel_initializer=init, dtype=policy),
            activation_layer(activation, policy),
            # Keras's momentum, 0.99, would need some 500 steps to follow the weights.
            BatchNormalization(momentum=0.9, dtype=policy),
        ]

    def dropout() -> keras.layers.Layer:
        return Dropout(0.4, seed=next(seeds), dtype=policy)

    return _network(
        [
            *[layer for args in ((32, 3), (32, 3), (32, 5, 2)) for layer in conv(*args)],
            dropout(),
            *[layer for args in ((64, 3), (64, 3), (64, 5, 2)) for layer in conv(*args)],
            dropout(),
            *conv(128, 4),
            layers.Flatten(dtype=policy),
            dropout(),
        ],
        next(seeds),
        policy,
    )


ARCHITECTURES: dict[str, Callable[[str, int, str], keras.Model]] = {"ghouzam": ghouzam, "deotte": deotte}


def logits_model(network: keras.Model) -> keras.Model:
    """The same network, sharing its weights, that stops before the softmax."""
    return keras.Model(network.inputs[0], network.get_layer("logits").output)


def _network(body: list[keras.layers.Layer], seed: int, policy: str) -> keras.Model:
    init = keras.initializers.GlorotUniform(seed)
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Rescaling(1 / 255, dtype=policy),
            *body,
            # float32 whatever the policy: in bfloat16, probabilities near 1 are 0.004 apart.
            layers.Dense(CLASSES, kernel_initializer=init, name="logits", dtype="float32"),
            layers.Softmax(name="probabilities", dtype="float32"),
        ]
    )


def _seeds(seed: int) -> Iterator[int]:
    """One independent seed after another, for the layers in their order."""
    for child in itertools.count():
        yield int(np.random.SeedSequence([seed, child]).generate_state(1)[0] >> 1)
