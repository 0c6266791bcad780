"""The networks, with every activation but the last (softmax, always) given by name.

In: pixels 0..255, shape (n, 28, 28, 1). Out: probabilities, float32, shape (n, 10); the layer before the softmax is
named "logits". All random numbers come from the seed, so networks that differ only in activation start from the same
weights and drop the same units.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import keras
import numpy as np
from keras import layers

from pipeline.config.schema import Architecture
from pipeline.data.digits import CLASSES, SIDE
from pipeline.network.activations import activation_layer
from pipeline.network.dropout import Dropout
from pipeline.network.normalization import BatchNormalization


def ghouzam(activation: str, seed: int, policy: str = "float32", width: int = 1, dropout: float = 1.0) -> keras.Model:
    """The blog post's network: 32C5-32C5-P2-D.25-64C3-64C3-P2-D.25-FC256-D.5-softmax, "same" padding.

    887,530 parameters with a parameter-free activation. From Yassine Ghouzam's public Kaggle notebook
    "Introduction to CNN Keras", which the blog post took over.
    """
    seeds = _seeds(seed)

    def conv(filters: int, size: int) -> list[keras.layers.Layer]:
        init = keras.initializers.GlorotUniform(next(seeds))
        conv = layers.Conv2D(width * filters, size, padding="same", kernel_initializer=init, dtype=policy)
        return [conv, activation_layer(activation, policy)]

    def drop(rate: float) -> keras.layers.Layer:
        return Dropout(dropout * rate, seed=next(seeds), dtype=policy)

    return _network(
        [
            *conv(32, 5),
            *conv(32, 5),
            layers.MaxPooling2D(dtype=policy),
            drop(0.25),
            *conv(64, 3),
            *conv(64, 3),
            layers.MaxPooling2D(dtype=policy),
            drop(0.25),
            layers.Flatten(dtype=policy),
            layers.Dense(width * 256, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), dtype=policy),
            activation_layer(activation, policy),
            drop(0.5),
        ],
        next(seeds),
        policy,
    )


def deotte(activation: str, seed: int, policy: str = "float32", width: int = 1, dropout: float = 1.0) -> keras.Model:
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
            layers.Conv2D(width * filters, size, stride, padding=padding, kernel_initializer=init, dtype=policy),
            activation_layer(activation, policy),
            _normalization(policy),
        ]

    def drop() -> keras.layers.Layer:
        return Dropout(dropout * 0.4, seed=next(seeds), dtype=policy)

    return _network(
        [
            *[layer for args in ((32, 3), (32, 3), (32, 5, 2)) for layer in conv(*args)],
            drop(),
            *[layer for args in ((64, 3), (64, 3), (64, 5, 2)) for layer in conv(*args)],
            drop(),
            *conv(128, 4),
            layers.Flatten(dtype=policy),
            drop(),
        ],
        next(seeds),
        policy,
    )


def residual(activation: str, seed: int, policy: str = "float32", width: int = 1, _dropout: float = 1.0) -> keras.Model:
    """The widest network: 64C5-B-P2-B-N-128C3-P2-B-N-256C3-P2-B-N, average over the image, softmax.

    N is batch normalisation, and B the block y + act(C3(y)) with y = N(x), as wide as its input (a residual network,
    He et al. 2016, https://arxiv.org/abs/1512.03385). "same" padding throughout, in the pooling too (28, 14, 7, 4
    pixels); He's initial weights; no dropout. 1,188,618 parameters with a parameter-free activation, and 498 MFLOP per
    image and training step.
    """
    seeds = _seeds(seed)

    def conv(filters: int, size: int) -> list[keras.layers.Layer]:
        init = keras.initializers.HeNormal(next(seeds))
        conv = layers.Conv2D(width * filters, size, padding="same", kernel_initializer=init, dtype=policy)
        return [conv, activation_layer(activation, policy)]

    def block(filters: int) -> Callable[[Any], Any]:
        normalization, branch, add = _normalization(policy), conv(filters, 3), layers.Add(dtype=policy)

        def apply(x: Any) -> Any:
            y = normalization(x)
            return add([y, _chained(branch, y)])

        return apply

    def pool() -> keras.layers.Layer:
        return layers.MaxPooling2D(padding="same", dtype=policy)

    return _network(
        [
            *conv(64, 5),
            block(64),
            pool(),
            block(64),
            _normalization(policy),
            *conv(128, 3),
            pool(),
            block(128),
            _normalization(policy),
            *conv(256, 3),
            pool(),
            block(256),
            _normalization(policy),
            layers.GlobalAveragePooling2D(dtype=policy),
        ],
        next(seeds),
        policy,
    )


# (activation, seed, dtype policy, width, dropout) -> network
ARCHITECTURES: dict[str, Callable[[str, int, str, int, float], keras.Model]] = {
    name: globals()[name] for name in get_args(Architecture)
}


def logits_model(network: keras.Model) -> keras.Model:
    """The same network, sharing its weights, that stops before the softmax."""
    return keras.Model(network.inputs[0], network.get_layer("logits").output)


def _network(body: Sequence[Callable[[Any], Any]], seed: int, policy: str) -> keras.Model:
    """The layers and blocks of `body` in a row, between the scaling of the pixels and the softmax."""
    init = keras.initializers.GlorotUniform(seed)
    pixels = keras.Input((SIDE, SIDE, 1))
    ends = [
        # float32 whatever the policy: in bfloat16, probabilities near 1 are 0.004 apart.
        layers.Dense(CLASSES, kernel_initializer=init, name="logits", dtype="float32"),
        layers.Softmax(name="probabilities", dtype="float32"),
    ]
    return keras.Model(pixels, _chained([layers.Rescaling(1 / 255, dtype=policy), *body, *ends], pixels))


def _chained(functions: Sequence[Callable[[Any], Any]], x: Any) -> Any:
    for function in functions:
        x = function(x)
    return x


def _normalization(policy: str) -> keras.layers.Layer:
    # Keras's momentum, 0.99, would need some 500 steps to follow the weights.
    return BatchNormalization(momentum=0.9, dtype=policy)


def _seeds(seed: int) -> Iterator[int]:
    """One independent seed after another, for the layers in their order."""
    for child in itertools.count():
        yield int(np.random.SeedSequence([seed, child]).generate_state(1)[0] >> 1)
