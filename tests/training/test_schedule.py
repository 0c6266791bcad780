from dataclasses import replace

import keras
import numpy as np
import pytest
from factories import changed
from keras import ops

from pipeline.config.schema import TrainConfig
from pipeline.training.schedule import learning_rates

COSINE = TrainConfig(epochs=5, schedule="cosine", learning_rate=0.02)


def all_epochs(config, steps):
    return np.concatenate([learning_rates(config, steps, [{}] * epoch) for epoch in range(config.epochs)])


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25])
def test_cosine_is_kerass_cosine_decay(warmup):
    ours = all_epochs(replace(COSINE, warmup=warmup), 8)
    options = {"warmup_target": 0.02, "warmup_steps": int(warmup * 40)} if warmup else {}
    start = 0.0 if warmup else 0.02
    theirs = keras.optimizers.schedules.CosineDecay(start, 40 - int(warmup * 40), **options)
    np.testing.assert_allclose(ours, [float(theirs(step)) for step in range(40)], rtol=1e-5, atol=1e-8)
    assert ours.dtype == np.float32


def test_warm_up_may_end_between_two_steps():
    ours = all_epochs(changed(COSINE, epochs=2, warmup=0.25), 3)  # after 1.5 of 6 steps
    after = [0.01 * (1 + np.cos(np.pi * (step - 1.5) / 4.5)) for step in (2, 3, 4, 5)]
    np.testing.assert_allclose(ours, [0, 0.02 / 1.5, *after], rtol=1e-6)


def test_plateau_is_kerass_reduce_lr_on_plateau():
    accuracies = [0.5, 0.6, 0.6, 0.59, 0.6, 0.7, 0.70005, 0.7, 0.7, 0.7005, 0.7, 0.7, 0.71, *[0.71] * 30]
    config = TrainConfig(schedule="plateau", learning_rate=2e-3, patience=2, min_learning_rate=3e-5)  # no defaults
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(2e-3))
    callback = keras.callbacks.ReduceLROnPlateau("accuracy", factor=0.5, patience=2, mode="max", min_lr=3e-5)
    callback.set_model(model)
    callback.on_train_begin()
    history = []
    for epoch, accuracy in enumerate(accuracies):
        rates = learning_rates(config, 2, history)
        assert rates.tolist() == pytest.approx([float(ops.convert_to_numpy(model.optimizer.learning_rate))] * 2)
        history.append({"validation_accuracy": accuracy})
        callback.on_epoch_end(epoch, {"accuracy": accuracy})
    assert rates.dtype == np.float32
    assert rates[0] == pytest.approx(3e-5)
