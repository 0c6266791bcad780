from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from pipeline import trainer as trainer_module
from pipeline.augment import draw_transforms
from pipeline.config import AugmentConfig, TrainConfig
from pipeline.models import deotte, logits_model
from pipeline.trainer import Trainer

CONFIG = TrainConfig(batch_size=20, optimizer="adam", schedule="cosine", precision="float32")
IDENTITY = draw_transforms(AugmentConfig(0, 0, 0), 1, np.random.default_rng(0))[0]


def trainer(digits, config=CONFIG, policy="float32", activation="swish"):
    return Trainer("deotte", activation, config, policy, digits.images, digits.labels)


def steps(count, batch=20, rate=1e-3):
    rows = np.random.default_rng(1).integers(0, 100, (count, batch)).astype(np.int32)
    return rows, np.tile(IDENTITY, (count, batch, 1)), np.full(count, rate, np.float32)


@pytest.fixture(scope="module")
def swish(digits):
    """One trainer for the tests that need no other; each begins with a reset."""
    return trainer(digits)


def weights(t):
    return [ops.convert_to_numpy(v) for v in t.network.trainable_variables]


@pytest.mark.parametrize("optimizer", ["rmsprop", "adamw"])
def test_steps_are_kerass_own_train_on_batch(digits, optimizer):
    decay = 0.1 if optimizer == "adamw" else 0.0
    config = replace(CONFIG, optimizer=optimizer, weight_decay=decay, label_smoothing=0.1)
    ours = trainer(digits, config)
    ours.reset(5)
    rows, transforms, rates = steps(3)
    loss, correct = ours.run(rows, transforms, rates)

    network = deotte("swish", 5)
    theirs = logits_model(network)
    kind = {"rmsprop": keras.optimizers.RMSprop, "adamw": keras.optimizers.AdamW}[optimizer]
    reference = kind(1e-3, weight_decay=decay) if decay else kind(1e-3)
    reference.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    theirs.compile(
        optimizer=reference,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        jit_compile=False,
    )
    batches = [(digits.images[r, ..., None].astype(np.float32), np.eye(10)[digits.labels[r]]) for r in rows]
    expected = []
    for x, y in batches:
        theirs.reset_metrics()  # some versions of Keras report a running mean
        expected.append(float(theirs.train_on_batch(x, y)))
    assert loss == pytest.approx(sum(expected), rel=1e-4)
    assert 0 <= correct <= 60
    for a, b in zip(weights(ours), network.trainable_variables, strict=True):
        difference = np.abs(a - ops.convert_to_numpy(b))
        # Each step moves a weight by about 1e-3, in a direction that rounding decides where the gradient is near zero.
        assert difference.max() < 5e-4
        assert difference.mean() < 2e-6


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX compiles the whole step anyway")
@pytest.mark.parametrize(
    ("policy", "count", "tolerance"),
    # One step in float16: XLA rounds less in between, so that the loss scale may skip another step than it does here.
    [("float32", 3, 1e-4), ("mixed_float16", 1, 2e-2)],
)
def test_the_step_that_gpus_get_compiled_whole_computes_the_same(digits, policy, count, tolerance, monkeypatch):
    results = []
    for gpu in (False, True):
        monkeypatch.setattr(trainer_module, "on_tensorflow_cpu", lambda gpu=gpu: not gpu)
        t = trainer(digits, policy=policy)
        for layer in t.network.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0  # XLA draws other numbers from the same seed
        t.reset(2)
        results.append([t.run(*steps(1)) for _ in range(count)])
    for (expected, right), (loss, also_right) in zip(*results, strict=True):
        assert loss == pytest.approx(expected, rel=tolerance)
        assert abs(also_right - right) <= tolerance * 100


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
    with t.final_weights():
        for a, b in zip(weights(t), average, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(weights(t), now, strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_averaging_final_weights_are_the_weights(swish):
    t = swish
    t.reset(0)
    t.run(*steps(1))
    now = weights(t)
    with t.final_weights():
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
