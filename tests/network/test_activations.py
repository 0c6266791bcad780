import keras
import numpy as np
import pytest
from keras import ops
from trainers import compiled

from pipeline.config.schema import KERAS_ACTIVATIONS, OWN_ACTIVATIONS
from pipeline.network.activations import OWN_BUILDERS, SwishBeta, _swish_beta, activation_layer, swish

X = np.concatenate([np.linspace(-12, 12, 241), [-80.0, 80.0, 0.0]]).reshape(4, 61)
W = np.random.default_rng(0).normal(0, 2, X.shape)  # not 1: a gradient must pass on what it is given


def gate(x):
    return 1 / (1 + np.exp(-x))


def gradients(function, weights, how=lambda f: f):
    """A function that returns the gradients of sum(weights * function(*values)) by each of the values."""
    if keras.backend.backend() == "jax":
        import jax

        return how(lambda *values: jax.vjp(function, *values)[1](weights))
    import tensorflow as tf

    def by_each(*values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            y = function(*values)
        return tape.gradient(y, values, output_gradients=weights)

    return how(by_each)


# Half a unit in the last place of the narrow types, a few of float32, whose gradient cancels where it crosses zero; and
# half the smallest number of float16.
ROUNDING = {"float32": (1e-6, 5e-8), "bfloat16": (2**-8, 1e-9), "float16": (2**-11, 2**-25)}
precisions = pytest.mark.parametrize("dtype", ROUNDING)
eagerly_and_compiled = pytest.mark.parametrize("how", [lambda f: f, compiled], ids=["eager", "compiled"])


def assert_rounded_once(actual, exact, dtype):
    assert keras.backend.standardize_dtype(actual.dtype) == dtype
    relative, absolute = ROUNDING[dtype]
    np.testing.assert_allclose(ops.cast(actual, "float32"), exact, rtol=1.001 * relative + 1e-6, atol=absolute)


def in_precision(values, dtype):
    """The values as a tensor of that precision, and exactly, as float64."""
    tensor = ops.cast(values, dtype)
    return tensor, np.asarray(ops.cast(tensor, "float32")).astype(np.float64)


@eagerly_and_compiled
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_swish_and_its_gradient_are_the_formula_rounded_once(how, dtype):
    (x, exact), (w, weight) = in_precision(X, dtype), in_precision(W, dtype)
    assert_rounded_once(how(swish)(x), exact * gate(exact), dtype)
    (by_x,) = gradients(swish, w, how)(x)
    assert_rounded_once(by_x, weight * gate(exact) * (1 + exact * (1 - gate(exact))), dtype)


@eagerly_and_compiled
def test_swish_of_every_bfloat16_is_off_by_one_unit_or_5e_4_at_most(how):
    bits = np.arange(2**16, dtype=np.uint16)
    inputs = (bits.astype(np.uint32) << 16).view(np.float32)
    exact = inputs[np.isfinite(inputs)].astype(np.float64)
    with np.errstate(over="ignore"):
        values, slopes = exact * gate(exact), gate(exact) * (1 + exact * (1 - gate(exact)))
    x = ops.cast(exact.astype(np.float32), "bfloat16")
    (by_x,) = gradients(swish, ops.ones_like(x), how)(x)
    for found, expected in ((how(swish)(x), values), (by_x, slopes)):
        unit = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(expected), 2.0**-126))) - 7)
        error = np.abs(np.asarray(ops.cast(found, "float32")) - expected)
        assert (error <= np.maximum(unit, 5e-4)).all()


@eagerly_and_compiled
@precisions
@pytest.mark.parametrize("beta", [0.0, 1.37])  # bfloat16 and float16 have no 1.37
def test_swish_beta_and_both_gradients_are_the_formula_rounded_once(how, dtype, beta):
    layer = SwishBeta(dtype="float32" if dtype == "float32" else f"mixed_{dtype}")
    layer.build((None,))
    layer.beta.assign(beta)
    (x, exact), (w, weight) = in_precision(X, dtype), in_precision(W, dtype)
    assert_rounded_once(how(layer)(x), 2 * exact * gate(beta * exact), dtype)
    by_x, by_beta = gradients(_swish_beta, w, how)(x, ops.convert_to_tensor(np.float32(beta)))
    slope = gate(beta * exact) * (1 - gate(beta * exact))
    assert_rounded_once(by_x, weight * 2 * (gate(beta * exact) + beta * exact * slope), dtype)
    assert keras.backend.standardize_dtype(by_beta.dtype) == "float32"
    terms = weight * 2 * exact**2 * slope
    np.testing.assert_allclose(by_beta, terms.sum(), atol=1e-5 * np.abs(terms).sum())


def test_beta_starts_at_one_is_trainable_and_stays_above_zero():
    layer = SwishBeta(dtype="mixed_bfloat16")
    y = layer(ops.ones((2, 3)))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert [float(ops.convert_to_numpy(v)) for v in layer.trainable_variables] == [1.0]
    assert keras.backend.standardize_dtype(layer.beta.dtype) == "float32"
    optimizer = keras.optimizers.SGD(10.0)
    optimizer.apply([ops.ones(())], layer.trainable_variables)
    assert float(ops.convert_to_numpy(layer.beta)) == 0.0


@pytest.mark.parametrize("name", KERAS_ACTIVATIONS)
def test_keras_activations_exist_and_are_elementwise(name):
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    y = np.asarray(getattr(keras.activations, name)(x))
    assert y.shape == x.shape
    assert np.allclose(y[1], np.asarray(getattr(keras.activations, name)(x[1:2]))[0])


def test_layers_hold_the_very_object_and_not_kerass_swish():
    assert activation_layer("swish").activation is swish
    assert activation_layer("swish").activation is not keras.activations.silu
    assert activation_layer("relu").activation is keras.activations.relu
    assert activation_layer("mish").activation is keras.activations.mish
    assert activation_layer("silu").activation is keras.activations.silu
    assert isinstance(activation_layer("swish_beta"), SwishBeta)
    assert keras.saving.get_registered_name(swish) == "pipeline>swish"
    assert keras.saving.get_registered_name(SwishBeta) == "pipeline>SwishBeta"
    with pytest.raises(ValueError, match="Received: 'nope'"):
        activation_layer("nope")


@pytest.mark.parametrize("name", [*OWN_ACTIVATIONS, "gelu"])
def test_layers_compute_in_the_precision_that_they_are_given(name):
    y = activation_layer(name, "mixed_bfloat16")(ops.ones((2, 3)))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX alone tells what a gradient keeps")
def test_the_gradients_keep_no_tensor_but_x():
    import jax

    x = ops.linspace(-3.0, 3.0, 1000)
    for function, *more in ((swish,), (_swish_beta, ops.ones(()))):
        _, pullback = jax.vjp(function, x, *more)
        kept = [leaf for leaf in jax.tree_util.tree_leaves(pullback) if np.size(leaf) > 1]
        assert len(kept) == 1
        np.testing.assert_array_equal(kept[0], x)


def test_every_name_that_a_config_may_hold_has_a_builder():
    assert tuple(OWN_BUILDERS) == OWN_ACTIVATIONS
