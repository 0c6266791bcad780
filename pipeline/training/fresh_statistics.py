"""Batch normalisation's means and variances, computed anew for the weights that are used in the end.

The moving averages belong to the weights of the last steps, to distorted images, and to activations of which dropout
has set some to zero and enlarged the others. A moving average of the weights has other statistics (Izmailov et al.
2018, https://arxiv.org/abs/1803.05407, section 3.2), and prediction knows neither distortion nor dropout (Li et al.
2019, https://arxiv.org/abs/1801.05134).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

STATISTICS_IMAGES = 5000  # a standard error of 1.4% of a standard deviation where a channel has one value per image
STATISTICS_BATCH = 250


class FreshStatistics:
    """The statistics of one network's normalisation layers.

    They come from a copy with variables of its own, which drops nothing and whose moving averages forget at once.
    """

    def __init__(self, network: keras.Model) -> None:
        self._network, self._copy = network, keras.models.clone_model(network, clone_function=_without_memory)
        self._forward = _jax_forward(self._copy) if keras.backend.backend() == "jax" else self._copy

    def recompute(self, images: NDArray[np.uint8]) -> None:
        """Set them to those of images, uint8 of shape (n, 28, 28); a batch of them normalises by its own statistics."""
        self._copy.set_weights(self._network.get_weights())
        count = -(-len(images) // STATISTICS_BATCH)
        batches = [images[i::count, ..., None].astype(np.float32) for i in range(count)]  # they may be sorted by digit
        seen: list[list[NDArray[Any]]] = []
        for batch in batches:
            self._forward(batch, training=True)
            seen.append([_statistics(layer) for layer in _normalizations(self._copy)])
        sizes = [len(batch) for batch in batches]
        for layer, of_batches in zip(_normalizations(self._network), zip(*seen, strict=True), strict=True):
            means, variances = np.stack(of_batches, axis=1)
            mean = np.average(means, axis=0, weights=sizes)
            layer.moving_mean.assign(mean)
            # The variance of all images is that within the batches and that between them.
            layer.moving_variance.assign(np.average(variances + (means - mean) ** 2, axis=0, weights=sizes))


def _without_memory(layer: keras.layers.Layer) -> keras.layers.Layer:
    config = layer.get_config()
    if isinstance(layer, keras.layers.BatchNormalization):
        config["momentum"] = 0.0
    if isinstance(layer, keras.layers.Dropout):
        config["rate"] = 0.0
    return type(layer).from_config(config)


def _jax_forward(network: keras.Model) -> Callable[..., None]:
    """A call of the network as one compiled program; layer by layer, JAX would compile one for each operation."""
    import jax

    @partial(jax.jit, static_argnames="training")
    def run(weights: Any, state: Any, batch: Any, training: bool) -> Any:
        return network.stateless_call(weights, state, batch, training=training)[1]

    def forward(batch: NDArray[np.float32], training: bool) -> None:
        state = network.non_trainable_variables
        values = ([variable.value for variable in some] for some in (network.trainable_variables, state))
        for variable, value in zip(state, run(*values, batch, training), strict=True):
            variable.assign(value)

    return forward


def _normalizations(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]


def _statistics(layer: keras.layers.BatchNormalization) -> NDArray[Any]:
    """The means and the variances, shape (2, channels)."""
    return np.stack([ops.convert_to_numpy(v) for v in (layer.moving_mean, layer.moving_variance)])
