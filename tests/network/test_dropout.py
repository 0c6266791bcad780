import keras
import numpy as np
import pytest
from keras import ops
from scipy.stats import binomtest, chisquare

from pipeline.network import dropout
from pipeline.network.dropout import Dropout, _uniform_integers

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the fast path is TensorFlow's")
SHAPE = (101, 33, 31)  # an odd number of units: the last word of random bits is used in part


def as_floats(x):
    return np.asarray(ops.cast(x, "float32"))


@pytest.mark.parametrize(("rate", "policy"), [(0.25, "float32"), (0.4, "mixed_bfloat16"), (0.5, "mixed_float16")])
def test_units_are_dropped_at_the_rate_and_the_others_scaled(rate, policy):
    layer = Dropout(rate, seed=1, dtype=policy)
    x = ops.cast(np.random.default_rng(0).normal(1, 1, SHAPE), layer.compute_dtype)
    y = as_floats(layer(x, training=True))
    kept = y != 0
    assert binomtest(int(kept.sum()), kept.size, 1 - rate).pvalue > 0.001
    tolerance = {"rtol": 2**-7, "atol": 1e-6} if "float16" in policy else {"rtol": 1e-4}
    np.testing.assert_allclose(y[kept], as_floats(x)[kept] / (1 - rate), **tolerance)
    # As often in every place, and neighbours do not share their fate.
    assert chisquare(kept.sum(axis=(0, 1))).pvalue > 0.001
    both = kept[..., :-1] & kept[..., 1:]
    assert both.mean() == pytest.approx((1 - rate) ** 2, abs=0.01)


@tensorflow_only
@pytest.mark.parametrize(("rate", "levels", "dropped"), [(0.25, 256, 64), (0.4, 65536, 26214)])
def test_of_all_draws_exactly_the_lowest_are_dropped(rate, levels, dropped, monkeypatch):
    def every_draw(shape, drawn, _):
        assert drawn == levels
        return ops.reshape(ops.cast(np.arange(levels), {256: "uint8", 65536: "uint16"}[levels]), shape)

    monkeypatch.setattr(dropout, "_uniform_integers", every_draw)
    y = as_floats(Dropout(rate, seed=1)(ops.full((levels // 4, 4), 3.0), training=True)).ravel()
    assert (y[:dropped] == 0).all()
    np.testing.assert_allclose(y[dropped:], 3 * levels / (levels - dropped), rtol=1e-6)  # the mean stays 3
    assert dropped / levels == pytest.approx(rate, abs=1e-5)


@tensorflow_only
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_the_gradient_passes_where_the_value_did(compiled):
    import tensorflow as tf

    layer = Dropout(0.4, seed=1)
    x, upstream = (ops.convert_to_tensor(np.random.default_rng(i).normal(2, 0.1, SHAPE), "float32") for i in (0, 1))

    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return y, tape.gradient(y, x, output_gradients=upstream)

    y, gradient = map(as_floats, (tf.function(step) if compiled else step)())
    np.testing.assert_allclose(gradient, np.where(y != 0, as_floats(upstream) / 0.6, 0), rtol=1e-4)


@tensorflow_only
@pytest.mark.parametrize("levels", [256, 65536])
def test_the_integers_are_uniform(levels):
    draws = np.asarray(_uniform_integers(SHAPE, levels, np.array([1, 2], np.int32)))
    assert draws.dtype.itemsize == {256: 1, 65536: 2}[levels]
    draws = draws.astype(int)
    assert draws.shape == SHAPE
    assert chisquare(np.bincount(draws.ravel() // (levels // 256), minlength=256)).pvalue > 0.001
    assert chisquare(np.bincount(draws.ravel() % 256, minlength=256)).pvalue > 0.001


def test_draws_follow_the_seed_and_move_on_with_the_generator():
    x = np.ones(SHAPE, np.float32)
    one, same, other = Dropout(0.5, seed=1), Dropout(0.5, seed=1), Dropout(0.5, seed=2)
    first, second = as_floats(one(x, training=True)), as_floats(one(x, training=True))
    assert (first != second).any()
    np.testing.assert_array_equal(first, as_floats(same(x, training=True)))
    assert (first != as_floats(other(x, training=True))).any()
    one.seed_generator.state.assign(Dropout(0.5, seed=1).seed_generator.state)  # as a checkpoint does
    np.testing.assert_array_equal(first, as_floats(one(x, training=True)))


def test_inference_and_a_rate_of_zero_change_nothing():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(Dropout(0.5)(x), x)
    np.testing.assert_array_equal(Dropout(0.0)(x, training=True), x)


def test_a_noise_shape_shares_draws_as_in_kerass_layer():
    y = as_floats(Dropout(0.5, noise_shape=(100, 1), seed=1)(np.ones((100, 7)), training=True))
    assert (y == y[:, :1]).all()
    assert 0 < (y == 0).mean() < 1
