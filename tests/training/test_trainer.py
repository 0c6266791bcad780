from dataclasses import replace

import keras
import numpy as np
import pytest
from factories import CONFIG, steps, trainer, weights
from keras import ops

from pipeline.training import trainer as trainer_module


@pytest.fixture(scope="module")
def swish(digits):
    """One trainer for the tests that need no other; each begins with a reset."""
    return trainer(digits)


def test_one_call_of_four_steps_is_four_calls_of_one(swish):
    t = swish
    rows, transforms, rates = steps(4)
    t.reset(1)
    whole = t.run(rows, transforms, rates)
    after = weights(t)
    t.reset(1)
    parts = [t.run(rows[i : i + 1], transforms[i : i + 1], rates[i : i + 1]) for i in range(4)]
    assert whole == (pytest.approx(sum(p[0] for p in parts), rel=1e-6), sum(p[1] for p in parts))
    for a, b in zip(after, weights(t), strict=True):
        np.testing.assert_array_equal(a, b)


def test_reset_forgets_everything_but_the_compilation(swish, digits):
    used, fresh = swish, trainer(digits)
    used.reset(3)
    used.run(*steps(2))
    used.reset(4)
    fresh.reset(4)
    for a, b in zip(used.variables, fresh.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    assert used.run(*steps(2)) == fresh.run(*steps(2))


def test_rate_zero_leaves_the_weights_and_each_step_has_its_own_rate(swish):
    t = swish
    t.reset(0)
    before = weights(t)
    rows, transforms, _ = steps(2)
    t.run(rows, transforms, np.zeros(2, np.float32))
    assert all((a == b).all() for a, b in zip(before, weights(t), strict=True))
    t.run(rows, transforms, np.array([0, 1e-3], np.float32))
    assert any((a != b).any() for a, b in zip(before, weights(t), strict=True))


def test_final_weights_are_the_moving_average_by_its_formula(digits):
    t = trainer(digits, replace(CONFIG, ema_momentum=0.6))
    t.reset(0)
    rows, transforms, rates = steps(3)
    average = None
    for i in range(3):
        t.run(rows[i : i + 1], transforms[i : i + 1], rates[i : i + 1])
        now = weights(t)
        average = now if average is None else [0.6 * a + 0.4 * b for a, b in zip(average, now, strict=True)]
    with t.final_weights(np.arange(100)):
        for a, b in zip(weights(t), average, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(weights(t), now, strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_averaging_final_weights_are_the_weights(swish):
    t = swish
    t.reset(0)
    t.run(*steps(1))
    now = weights(t)
    with t.final_weights(np.arange(100)):
        assert all((a == b).all() for a, b in zip(now, weights(t), strict=True))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_every_precision_learns(digits, policy):
    t = trainer(digits, policy=policy, activation="swish_beta")
    t.reset(0)
    losses = [t.run(*steps(3, rate=2e-3))[0] for _ in range(3)]
    assert losses[-1] < 0.9 * losses[0]
    assert isinstance(t.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
    betas = [float(ops.convert_to_numpy(v)) for v in t.network.trainable_variables if v.shape == ()]
    assert len(betas) == 7
    assert all(beta != 1.0 for beta in betas)


@pytest.mark.parametrize("count", [0, 1, 30])
def test_prediction_is_the_networks_whatever_the_number_of_images(swish, digits, count, monkeypatch):
    monkeypatch.setattr(trainer_module, "PREDICT_BATCH", 8)
    t = swish
    t.reset(2)
    images = digits.test_images[:count]
    out = t.predict(images)
    assert out.shape == (count, 10)
    assert out.dtype == np.float32
    if count:
        np.testing.assert_allclose(out, t.network(images[..., None].astype(np.float32)), rtol=1e-4, atol=1e-6)
