from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from trainers import CONFIG, small, steps, trainer, weights

from pipeline.training import trainer as trainer_module
from pipeline.training.trainer import make_optimizer


@pytest.fixture(scope="module")
def swish(digits):
    """One trainer for the tests that need no other; each begins with a reset."""
    return trainer(digits)


def state(t):
    return [np.array(ops.convert_to_numpy(v)) for v in t.variables]


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_reset_forgets_everything_but_the_compilation(swish, digits):
    used, fresh = swish, trainer(digits)
    used.reset(3)
    used.run(*steps(2))
    used.reset(4)
    fresh.reset(4)
    assert_same(state(used), state(fresh))
    assert used.run(*steps(2)) == fresh.run(*steps(2))
    assert_same(state(used), state(fresh))


def test_the_digest_of_dropout_is_that_of_its_generators(swish):
    t = swish
    t.reset(3)
    first = t.fingerprints()["dropout"]
    for weight in t.network.trainable_variables:
        weight.assign(weight + 1)
    assert t.fingerprints()["dropout"] == first  # weights do not matter
    t.run(*steps(1))
    assert t.fingerprints()["dropout"] != first  # each draw moves the generators on
    t.reset(3)
    assert t.fingerprints()["dropout"] == first
    t.reset(4)
    assert t.fingerprints()["dropout"] != first


def test_a_trainer_has_the_activation_width_and_dropout_of_its_spec(digits):
    t = trainer(digits, activation="swish_beta", width=2, dropout=0.5)
    t.reset(3)
    expected = small("swish_beta", 3, width=2)
    assert_same([ops.convert_to_numpy(v) for v in t.network.variables], map(ops.convert_to_numpy, expected.variables))
    assert [layer.rate for layer in t.network.layers if isinstance(layer, keras.layers.Dropout)] == [0.2]


def test_final_weights_are_the_moving_average_by_its_formula(digits):
    t = trainer(digits, replace(CONFIG, ema_momentum=0.6))
    t.reset(0)
    rows, transforms, rates = steps(3)
    average = None
    for i in range(3):
        t.run(rows[i : i + 1], transforms[i : i + 1], rates[i : i + 1])
        now = weights(t)
        average = now if average is None else [0.6 * a + 0.4 * b for a, b in zip(average, now, strict=True)]
    before = state(t)
    with t.final_weights(np.arange(100)):
        for a, b in zip(weights(t), average, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        t.predict(digits.images)
    assert_same(before, state(t))  # the averages as well
    t.finalize(np.arange(100))
    for a, b in zip(weights(t), average, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_every_precision_learns(digits, policy):
    t = trainer(digits, policy=policy, activation="swish_beta")
    t.reset(0)
    before = weights(t)
    first, _ = t.run(*steps(1))
    assert 2 < first < 4  # about log(10), not the scaled loss
    # Adam's first step moves a weight by the learning rate, unless a gradient is too small for the precision.
    moved = [np.abs(a - b).mean() for a, b in zip(before, weights(t), strict=True)]
    np.testing.assert_allclose(moved, 1e-3, rtol=0.05)
    for _ in range(4):
        last = t.run(*steps(3, rate=1e-2))[0] / 3
    assert last < 0.7 * first
    assert isinstance(t.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")


def test_kernels_alone_decay_and_in_proportion_to_the_rate():
    network = small("swish_beta", 0)
    config = replace(CONFIG, optimizer="adamw", learning_rate=0.1, weight_decay=0.5)
    variables = network.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    make_optimizer(config, "float32").apply([ops.zeros(v.shape) for v in variables], variables)
    decayed = {v.path.split("/", 1)[-1]: float(ops.min(v)) for v in variables}
    expected = {path: pytest.approx(0.95 if path.endswith("kernel") else 1, rel=1e-6) for path in decayed}
    assert decayed == expected
    assert {path.rpartition("/")[2] for path in decayed} == {"kernel", "bias", "gamma", "beta"}


def test_the_digest_is_of_all_that_the_arms_share(digits):
    t = trainer(digits, activation="swish_beta")

    def weights_digest():
        return t.fingerprints()["initial_weights"]

    t.reset(0)
    first = weights_digest()
    for variable in t.network.variables:
        t.reset(0)
        assert weights_digest() == first
        variable.assign(variable + 1)
        assert (weights_digest() == first) == (variable.shape == ()), variable.path  # β is not shared


@pytest.mark.parametrize("count", [0, 1, 30])
def test_prediction_is_the_networks_whatever_the_number_of_images(swish, digits, count, monkeypatch):
    monkeypatch.setattr(trainer_module, "PREDICT_BATCH", 8)
    t = swish
    t.reset(2)
    t.run(*steps(1))  # so that the statistics of normalisation are no longer 0 and 1
    images = digits.test_images[:count]
    out = t.predict(images)
    assert out.shape == (count, 10)
    assert out.dtype == np.float32
    if count:
        expected = t.network(images[..., None].astype(np.float32), training=False)
        np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-6)
