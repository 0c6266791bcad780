"""The compiled steps against Keras's own training, and the step for GPUs against the one for CPUs."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops
from trainers import CONFIG, small, steps, trainer, weights

from pipeline.data.augment import apply_transforms
from pipeline.network.architectures import logits_model
from pipeline.training import steps as steps_module
from pipeline.training.steps import STEPS_PER_CALL


@pytest.mark.parametrize("optimizer", ["rmsprop", "adamw"])
def test_steps_are_kerass_own_train_on_batch_on_the_distorted_images(digits, optimizer):
    decay = 0.1 if optimizer == "adamw" else 0.0
    config = replace(CONFIG, optimizer=optimizer, weight_decay=decay, label_smoothing=0.1)
    ours = trainer(digits, config)
    ours.reset(5)
    rows, transforms, rates = steps(3)
    loss, correct = ours.run(rows, transforms, rates)

    network = small("swish", 5)
    theirs = logits_model(network)
    kind = {"rmsprop": keras.optimizers.RMSprop, "adamw": keras.optimizers.AdamW}[optimizer]
    reference = kind(weight_decay=decay) if decay else kind()
    reference.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    theirs.compile(
        optimizer=reference,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        metrics=["accuracy"],
        jit_compile=False,
    )
    losses, accuracies = [], []
    for row, transform, rate in zip(rows, transforms, rates, strict=True):
        reference.learning_rate = rate
        theirs.reset_metrics()  # some versions of Keras report a running mean
        images = np.asarray(apply_transforms(digits.images[row, ..., None], transform))
        of_batch = theirs.train_on_batch(images, np.eye(10)[digits.labels[row]])
        losses.append(of_batch[0])
        accuracies.append(of_batch[1])
    assert loss == pytest.approx(sum(losses), rel=1e-4)
    assert correct == pytest.approx(20 * sum(accuracies), abs=1e-3)
    for a, b in zip(weights(ours), network.trainable_variables, strict=True):
        difference = np.abs(a - ops.convert_to_numpy(b))
        # Each step moves a weight by about 1e-3, in a direction that rounding decides where the gradient is near zero.
        assert difference.max() < 5e-4
        assert difference.mean() < 2e-6


def test_calls_of_all_lengths_are_one_compilation(digits):
    t = trainer(digits)
    t.reset(0)
    for count in (3, 1, STEPS_PER_CALL):
        t.run(*steps(count))
    on_jax = keras.backend.backend() == "jax"
    assert (t.steps.run._cache_size() if on_jax else t.steps.experimental_get_tracing_count()) == 1


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX compiles whole calls anyway")
def test_the_call_that_gpus_get_compiled_whole_computes_the_same_in_float16(digits, monkeypatch):
    """In float32, tests/training/test_gpu_path.py compares every network."""
    results = []
    for gpu in (False, True):
        monkeypatch.setattr(steps_module, "on_tensorflow_cpu", lambda gpu=gpu: not gpu)
        t = trainer(digits, policy="mixed_float16", dropout=0.0)  # XLA draws other numbers from the same seed
        t.reset(2)
        # One step: XLA rounds less in between, so that the loss scale may skip another step than it does here.
        results.append(t.run(*steps(1)))
    (expected, right), (loss, also_right) = results
    assert loss == pytest.approx(expected, rel=2e-2)
    assert abs(also_right - right) <= 2
