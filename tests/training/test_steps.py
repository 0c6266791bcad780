"""The compiled steps against Keras's own training, and the step for GPUs against the one for CPUs."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from factories import CONFIG, steps, trainer, weights
from keras import ops

from pipeline.network.architectures import deotte, logits_model
from pipeline.training import steps as steps_module


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
        monkeypatch.setattr(steps_module, "on_tensorflow_cpu", lambda gpu=gpu: not gpu)
        t = trainer(digits, policy=policy)
        for layer in t.network.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0  # XLA draws other numbers from the same seed
        t.reset(2)
        results.append([t.run(*steps(1)) for _ in range(count)])
    for (expected, right), (loss, also_right) in zip(*results, strict=True):
        assert loss == pytest.approx(expected, rel=tolerance)
        assert abs(also_right - right) <= tolerance * 100
