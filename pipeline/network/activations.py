"""The swish family: formula, gradient, registration; and the table from names to activation layers.

Swish is x·sigmoid(x) (Ramachandran, Zoph & Le 2017, https://arxiv.org/abs/1710.05941; also SiLU, Elfwing et al. 2017).
Most of what it costs over ReLU is passes over memory: written in tensor operations it takes two forward and some five
backward, each rounded to the precision of the layer. Here it is one pass each: only x is kept for the gradient, and
sigmoid(x) is computed again. What remains is its exponential, which bfloat16 does without. `python -m benchmarks swish`
measures it.

Keras has an activation called "swish" of its own, and the string always means that one: activations are passed as
objects.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from pipeline.config.schema import OWN_ACTIVATIONS
from pipeline.device.fusion import one_pass, onednn_fuses


def _short_sigmoid(x: Any) -> Any:
    """sigmoid(x) without an exponential, for float32 that bfloat16 came from and goes to: off by less than 5e-5.

    It is (1 + tanh(x/2)) / 2, with tanh's continued fraction cut off at order 7 (Lambert), which passes 1 at x = 9.94.
    """
    y = ops.clip(0.5 * x, -4.98, 4.98)
    square = y * y
    above = y * (135135 + square * (17325 + square * (378 + square)))
    below = 135135 + square * (62370 + square * (3150 + square * 28))
    return ops.clip(0.5 + 0.5 * above / below, 0, 1)


def _swish_value(x: Any) -> tuple[Any]:
    return (x * ops.sigmoid(x),)


def _swish_value_short(x: Any) -> tuple[Any]:
    return (x * _short_sigmoid(x),)


def _slope(x: Any, upstream: Any, gate: Any) -> tuple[Any]:
    return (upstream * (gate + x * gate * (1 - gate)),)


def _swish_gradient(x: Any, upstream: Any) -> tuple[Any]:
    return _slope(x, upstream, ops.sigmoid(x))


def _swish_gradient_short(x: Any, upstream: Any) -> tuple[Any]:
    return _slope(x, upstream, _short_sigmoid(x))


@ops.custom_gradient
def _swish(x: Any) -> Any:
    short = keras.backend.standardize_dtype(x.dtype) == "bfloat16"

    def gradient(*args: Any, upstream: Any = None) -> Any:
        formula = _swish_gradient_short if short else _swish_gradient
        return one_pass(formula)(x, args[0] if upstream is None else upstream)[0]

    formula = _swish_value_short if short else _swish_value
    value = x * ops.sigmoid(x) if onednn_fuses(x.dtype) else one_pass(formula)(x)[0]
    return value, gradient


@keras.saving.register_keras_serializable(package="pipeline")
def swish(x: Any) -> Any:
    """Swish, x·sigmoid(x), element by element.

    Args:
        x: Floating tensor of any shape.

    Returns:
        Tensor of the shape and dtype of `x`, at least -0.2785.

    Example:
        >>> import numpy as np
        >>> from pipeline.network.activations import swish
        >>> print(np.asarray(swish([-2.0, 0.0, 2.0])).round(3))
        [-0.238  0.     1.762]
    """
    return _swish(ops.convert_to_tensor(x))


def _swish_beta_value(x: Any, beta: Any) -> tuple[Any]:
    return (2 * x * ops.sigmoid(beta * x),)


def _swish_beta_gradients(x: Any, beta: Any, upstream: Any) -> tuple[Any, Any]:
    gate = ops.sigmoid(beta * x)
    slope = gate * (1 - gate)
    # Summed over the first axis only: XLA adds up a vector of sums eight at a time, a single sum one by one.
    return upstream * 2 * (gate + beta * x * slope), ops.sum(upstream * 2 * x * x * slope, axis=0)


@ops.custom_gradient
def _swish_beta(x: Any, beta: Any) -> Any:
    def gradient(*args: Any, upstream: Any = None) -> Any:
        by_x, by_beta = one_pass(_swish_beta_gradients)(x, beta, args[0] if upstream is None else upstream)
        return by_x, ops.sum(by_beta)

    return one_pass(_swish_beta_value)(x, beta)[0], gradient


@keras.saving.register_keras_serializable(package="pipeline")
class SwishBeta(keras.layers.Layer):
    """2x·sigmoid(βx) with one trainable β per layer.

    β starts at 1, where the slope at the origin is 1 as for the identity and the shape is twice Swish. It is kept at 0
    or above: a negative β mirrors the function, which the next layer's signs can do as well. It is not regularised or
    decayed: a pull towards 0 would be a pull towards the identity, 2x·sigmoid(0) = x.
    """

    def build(self, _: tuple[int | None, ...]) -> None:
        """Create β, a float32 scalar in every precision: it is learned in steps too small for the others."""
        self.beta = self.add_weight(name="beta", shape=(), initializer="ones", constraint="non_neg", autocast=False)

    def call(self, inputs: Any) -> Any:
        """2x·sigmoid(βx) of a floating tensor of any shape; same shape and dtype."""
        return _swish_beta(inputs, 1 * self.beta)  # a tensor: TensorFlow's custom gradients do not take variables


# One entry per name in OWN_ACTIVATIONS: Keras dtype policy -> new layer.
OWN_BUILDERS: dict[str, Callable[[Any], keras.layers.Layer]] = {
    "relu": lambda dtype: keras.layers.Activation(keras.activations.relu, dtype=dtype),
    "swish": lambda dtype: keras.layers.Activation(swish, dtype=dtype),
    "swish_beta": lambda dtype: SwishBeta(dtype=dtype),
}


def activation_layer(name: str, dtype: Any = None) -> keras.layers.Layer:
    """A new layer that applies the activation of that name.

    Args:
        name: One of `relu`, `swish`, `swish_beta`, or a name in `keras.activations`.
        dtype: Keras dtype policy of the layer; the global policy by default.

    Raises:
        ValueError: neither this module nor Keras knows the name.

    Example:
        >>> import numpy as np
        >>> from pipeline.network.activations import activation_layer
        >>> layer = activation_layer("swish_beta")  # twice Swish, as β starts at 1
        >>> print(np.asarray(layer(np.array([-1.0, 0.0, 1.0]))).round(3))
        [-0.538  0.     1.462]
        >>> _ = layer.beta.assign(0)  # the identity
        >>> print(np.asarray(layer(np.array([-1.0, 0.0, 1.0]))))
        [-1.  0.  1.]
    """
    if name in OWN_BUILDERS:
        return OWN_BUILDERS[name](dtype)
    function = getattr(keras.activations, name, None)
    if function is None:
        raise ValueError(f"unknown activation. Expected one of {OWN_ACTIVATIONS} or Keras's. Received: {name!r}")
    return keras.layers.Activation(function, dtype=dtype)
