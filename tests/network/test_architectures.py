import keras
import numpy as np
import pytest
from keras import ops

from pipeline.network.activations import SwishBeta, swish
from pipeline.network.architectures import ARCHITECTURES, deotte, ghouzam, logits_model

PARAMETERS = {"ghouzam": 887_530, "deotte": 327_242}


def values(network):
    return [ops.convert_to_numpy(v) for v in network.variables if v.shape != ()]


def activations_of(network):
    return [layer for layer in network.layers if isinstance(layer, (keras.layers.Activation, SwishBeta))]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("activation", "per_layer"), [("relu", 0), ("swish", 0), ("elu", 0), ("swish_beta", 1)])
def test_parameter_counts(name, activation, per_layer):
    network = ARCHITECTURES[name](activation, 0, "float32")
    layers = {"ghouzam": 5, "deotte": 7}[name]
    assert len(activations_of(network)) == layers
    assert network.count_params() == PARAMETERS[name] + per_layer * layers


def shapes(network):
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    return [
        (layer.filters, layer.kernel_size[0], layer.strides[0], tuple(layer.output.shape[1:3]))
        for layer in convolutions
    ]


def test_layers_are_the_published_ones():
    assert shapes(ghouzam("relu", 0)) == [
        (32, 5, 1, (28, 28)),
        (32, 5, 1, (28, 28)),
        (64, 3, 1, (14, 14)),
        (64, 3, 1, (14, 14)),
    ]
    assert shapes(deotte("relu", 0)) == [
        (32, 3, 1, (26, 26)),
        (32, 3, 1, (24, 24)),
        (32, 5, 2, (12, 12)),
        (64, 3, 1, (10, 10)),
        (64, 3, 1, (8, 8)),
        (64, 5, 2, (4, 4)),
        (128, 4, 1, (1, 1)),
    ]
    rates = [
        [layer.rate for layer in n("relu", 0).layers if isinstance(layer, keras.layers.Dropout)]
        for n in (ghouzam, deotte)
    ]
    assert rates == [[0.25, 0.25, 0.5], [0.4, 0.4, 0.4]]
    order = [type(layer).__name__ for layer in deotte("relu", 0).layers]
    assert order[1:4] == ["Conv2D", "Activation", "BatchNormalization"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_arms_of_a_seed_start_from_the_same_weights_and_dropout(name):
    relu, other, again = (
        ARCHITECTURES[name](a, s, "float32") for a, s in (("relu", 5), ("swish_beta", 5), ("relu", 6))
    )
    for a, b in zip(values(relu), values(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(values(relu), values(again), strict=True))
    kernels = [v for v in values(relu) if v.ndim > 1]
    assert len({v.tobytes() for v in kernels}) == len(kernels)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_probabilities_are_float32_softmax_of_the_logits(name, policy, digits):
    network = ARCHITECTURES[name]("swish", 0, policy)
    images = digits.images[:4, ..., None].astype(np.float32)
    probabilities, logits = network(images), logits_model(network)(images)
    assert keras.backend.standardize_dtype(probabilities.dtype) == "float32"
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    np.testing.assert_allclose(probabilities, ops.softmax(logits), rtol=1e-5)
    assert network.layers[1].compute_dtype == {"float32": "float32"}.get(policy, policy.removeprefix("mixed_"))
    assert all(v.dtype == "float32" for v in network.trainable_variables)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_activation_is_the_arms_before_and_after_saving(name, tmp_path):
    network = ARCHITECTURES[name]("swish", 0, "mixed_bfloat16")
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for model in (network, loaded):
        assert all(layer.activation is swish for layer in activations_of(model))
        built_in = [layer.activation for layer in model.layers if hasattr(layer, "kernel")]
        assert all(activation is keras.activations.linear for activation in built_in)
    x = np.random.default_rng(0).uniform(0, 255, (3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_array_equal(network(x), loaded(x))
