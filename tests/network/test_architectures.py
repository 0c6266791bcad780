import keras
import numpy as np
import pytest
from keras import ops

from pipeline.network.activations import SwishBeta, swish
from pipeline.network.architectures import ARCHITECTURES, deotte, ghouzam, logits_model, residual
from pipeline.network.dropout import Dropout
from pipeline.network.normalization import BatchNormalization

# Of the networks that were published; one that you add is held to all that is no figure of its own.
PARAMETERS = {"ghouzam": 887_530, "deotte": 327_242, "residual": 1_188_618}
ACTIVATIONS = {"ghouzam": 5, "deotte": 7, "residual": 7}


def values(network):
    return [ops.convert_to_numpy(v) for v in network.variables if v.shape != ()]


def activations_of(network):
    return [layer for layer in network.layers if isinstance(layer, (keras.layers.Activation, SwishBeta))]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameter_counts(name):
    relu, trainable = (ARCHITECTURES[name](arm, 0, "float32", 1, 1.0) for arm in ("relu", "swish_beta"))
    assert len(activations_of(trainable)) == ACTIVATIONS.get(name, len(activations_of(relu))) > 0
    assert relu.count_params() == PARAMETERS.get(name, relu.count_params())
    assert trainable.count_params() == relu.count_params() + len(activations_of(trainable))


def test_width_multiplies_the_channels_and_dropout_the_rates():
    for make in (ghouzam, deotte, residual):
        assert channels(make("relu", 0, width=3)) == [3 * count for count in channels(make("relu", 0))]
    assert [rates(make("relu", 0, dropout=0.5)) for make in (ghouzam, deotte)] == [[0.125, 0.125, 0.25], [0.2] * 3]


def channels(network):
    """Of every layer that learns but the last."""
    return [layer.kernel.shape[-1] for layer in network.layers[:-2] if hasattr(layer, "kernel")]


def rates(network):
    return [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]


def notation(network):
    """The layers between the scaling of the pixels and the logits in the words of the docstrings; N normalises."""
    words = {
        "Conv2D": lambda layer: f"{layer.filters}C{layer.kernel_size[0]}" + "S2" * (layer.strides[0] == 2),
        "Activation": lambda layer: layer.activation.__name__,
        "BatchNormalization": lambda layer: "N",
        "MaxPooling2D": lambda layer: f"P{layer.pool_size[0]}",
        "Dropout": lambda layer: f"D.{layer.rate:g}".replace("0.", ""),
        "Flatten": lambda layer: "flat",
        "Dense": lambda layer: f"FC{layer.units}",
    }
    return "-".join(words[type(layer).__name__](layer) for layer in network.layers[2:-2])


@pytest.mark.parametrize(("network", "after"), [(ghouzam, "relu"), (deotte, "relu-N")])
def test_layers_are_in_the_order_of_the_docstring(network, after):
    layers = notation(network("relu", 0))
    published = layers.replace(f"-{after}", "").replace("-flat", "")
    assert f"network: {published}-softmax" in network.__doc__
    learned = [word for word in published.split("-") if "C" in word]
    assert layers.count(after) == layers.count("relu") == len(learned)
    assert all(f"{word}-{after}" in layers for word in learned)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_first_layer_sees_pixels_from_0_to_1(name, digits):
    network = ARCHITECTURES[name]("relu", 0, "float32", 1, 1.0)
    first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    seen = keras.Model(network.inputs[0], first.input)(digits.images[:4, ..., None].astype(np.float32))
    np.testing.assert_allclose(np.asarray(seen)[..., 0], digits.images[:4] / 255, rtol=1e-6)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_layer_has_a_seed_of_its_own(name):
    def seeds(seed):
        network = ARCHITECTURES[name]("relu", seed, "float32", 1, 1.0)
        initializers = [layer.kernel_initializer.seed for layer in network.layers if hasattr(layer, "kernel")]
        return initializers + [layer.seed for layer in network.layers if isinstance(layer, keras.layers.Dropout)]

    both = seeds(5) + seeds(6)
    assert None not in both
    assert len(set(both)) == len(both) >= (16 if name in PARAMETERS else 4)


def test_initial_weights_are_uniform_in_glorots_limits():
    for network in (ghouzam("relu", 0), deotte("relu", 0)):
        for layer in network.layers:
            if hasattr(layer, "kernel"):
                kernel = ops.convert_to_numpy(layer.kernel)
                area = np.prod(kernel.shape[:-2])
                limit = np.sqrt(6 / (area * (kernel.shape[-2] + kernel.shape[-1])))
                assert 0.95 * limit < np.abs(kernel).max() <= limit * (1 + 1e-6)
                assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_normalization_and_dropout_are_the_fast_ones_and_the_statistics_follow_quickly(name):
    network = ARCHITECTURES[name]("relu", 0, "float32", 1, 1.0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert type(layer) is BatchNormalization
            assert layer.momentum == 0.9
        if isinstance(layer, keras.layers.Dropout):
            assert type(layer) is Dropout


def test_residual_by_its_formula(digits):
    network = residual("swish", 3)
    generator = np.random.default_rng(0)
    for variable in network.weights:  # off their initial values; the variances stay positive
        variable.assign(variable + 0.02 * np.abs(generator.standard_normal(variable.shape)))
    convolutions = iter([layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)])
    normalizations = iter([layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)])

    def conv(x):
        layer = next(convolutions)
        return swish(ops.conv(x, layer.kernel, padding="same") + layer.bias)

    def normal(x):
        layer = next(normalizations)
        scale = ops.rsqrt(layer.moving_variance + layer.epsilon) * layer.gamma
        return (x - layer.moving_mean) * scale + layer.beta

    def block(x):
        y = normal(x)
        return y + conv(y)

    def pool(x):
        return ops.max_pool(x, 2, strides=2, padding="same")

    pixels = digits.images[:3, ..., None].astype(np.float32)
    x = block(pool(block(conv(pixels / 255))))
    x = block(pool(conv(normal(x))))
    x = normal(block(pool(conv(normal(x)))))
    logits = network.get_layer("logits")
    expected = ops.mean(x, axis=(1, 2)) @ logits.kernel + logits.bias
    np.testing.assert_allclose(logits_model(network)(pixels), expected, rtol=1e-3)


def test_residual_starts_from_hes_weights():
    kernels = [layer.kernel for layer in residual("relu", 0).layers if isinstance(layer, keras.layers.Conv2D)]
    spread = [float(ops.std(kernel)) * np.sqrt(np.prod(kernel.shape[:3]) / 2) for kernel in kernels]
    np.testing.assert_allclose(spread, 1, atol=0.05)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_arms_of_a_seed_start_from_the_same_weights_and_dropout(name):
    relu, other, again = (
        ARCHITECTURES[name](a, s, "float32", 1, 1.0) for a, s in (("relu", 5), ("swish_beta", 5), ("relu", 6))
    )
    for a, b in zip(values(relu), values(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(values(relu), values(again), strict=True))
    kernels = [v for v in values(relu) if v.ndim > 1]
    assert len({v.tobytes() for v in kernels}) == len(kernels)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_probabilities_are_float32_softmax_of_the_logits_whatever_the_precision(name, digits):
    network = ARCHITECTURES[name]("swish", 0, "mixed_bfloat16", 1, 1.0)
    images = digits.images[:4, ..., None].astype(np.float32)
    probabilities, logits = network(images), logits_model(network)(images)
    assert keras.backend.standardize_dtype(probabilities.dtype) == "float32"
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    np.testing.assert_allclose(probabilities, ops.softmax(logits), rtol=1e-5)
    assert {layer.compute_dtype for layer in network.layers[1:-2]} == {"bfloat16"}
    assert all(v.dtype == "float32" for v in network.trainable_variables)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_activation_is_the_arms_before_and_after_saving(name, tmp_path):
    network = ARCHITECTURES[name]("swish", 0, "mixed_bfloat16", 1, 1.0)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for model in (network, loaded):
        assert all(layer.activation is swish for layer in activations_of(model))
        built_in = [layer.activation for layer in model.layers if hasattr(layer, "kernel")]
        assert all(activation is keras.activations.linear for activation in built_in)
    x = np.random.default_rng(0).uniform(0, 255, (3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_array_equal(network(x), loaded(x))
