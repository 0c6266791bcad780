from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from trainers import CONFIG, steps, trainer

from pipeline.network.architectures import deotte, residual
from pipeline.training import fresh_statistics
from pipeline.training import trainer as trainer_module
from pipeline.training.fresh_statistics import FreshStatistics


def normalizations(network):
    return [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]


def test_the_first_layers_statistics_are_those_of_all_images(digits, monkeypatch):
    monkeypatch.setattr(fresh_statistics, "STATISTICS_BATCH", 30)  # 100 images in four batches
    network = deotte("swish", 3)
    FreshStatistics(network).recompute(digits.images)
    first = normalizations(network)[0]
    images = digits.images[..., None].astype(np.float32)
    x = ops.convert_to_numpy(keras.Model(network.inputs[0], first.input)(images)).astype(np.float64)
    np.testing.assert_allclose(first.moving_mean, x.mean(axis=(0, 1, 2)), rtol=1e-3)
    np.testing.assert_allclose(first.moving_variance, x.var(axis=(0, 1, 2)), rtol=1e-2)


def test_one_batch_without_dropout_normalises_as_prediction_then_does(digits):
    """With the statistics of the very images, prediction is training's forward pass without dropout."""
    for network in (deotte("relu", 0, dropout=0.0), residual("swish", 0)):
        FreshStatistics(network).recompute(digits.images)
        images = digits.images[..., None].astype(np.float32)
        predicted = network(images, training=False)
        np.testing.assert_allclose(predicted, network(images, training=True), atol=2e-3)
    dropping = deotte("relu", 0)
    FreshStatistics(dropping).recompute(digits.images)
    without = deotte("relu", 0, dropout=0.0)
    FreshStatistics(without).recompute(digits.images)
    for ours, theirs in zip(normalizations(dropping), normalizations(without), strict=True):
        np.testing.assert_array_equal(ours.moving_variance, theirs.moving_variance)


def test_a_trainer_uses_them_in_the_end_and_leaves_training_as_it_was(digits, monkeypatch):
    monkeypatch.setattr(trainer_module, "STATISTICS_IMAGES", 20)
    plain, fresh = trainer(digits), trainer(digits, replace(CONFIG, fresh_statistics=True))
    for t in (plain, fresh):
        t.reset(1)
        t.run(*steps(2))
    rows = np.arange(98, 38, -2)  # 30 of them, not the first
    before = [ops.convert_to_numpy(v) for v in fresh.network.variables]
    with fresh.final_weights(rows):
        inside = fresh.predict(digits.images)
    for ours, value in zip(fresh.network.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(ours), value)
    assert fresh.run(*steps(1)) == plain.run(*steps(1))
    evenly = [row for at, row in enumerate(rows) if at % 3 != 2]  # 20 of 30 from all parts of the file
    FreshStatistics(plain.network).recompute(digits.images[evenly])
    fresh.finalize(rows)
    np.testing.assert_array_equal(plain.predict(digits.images), fresh.predict(digits.images))
    assert np.abs(inside - fresh.predict(digits.images)).max() > 0  # one more step lies between them


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="TensorFlow compiles nothing here")
def test_jax_compiles_one_program_once(digits):
    import jax

    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if event.endswith("backend_compile_duration") else None
    )
    statistics = FreshStatistics(deotte("swish", 3))
    compiled.clear()
    statistics.recompute(digits.images)
    statistics.recompute(digits.images)
    assert len(compiled) == 1
