"""The code for GPUs, run on the CPU: the step compiled whole, float16, and what happens where XLA refuses."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import trainers
from factories import changed
from keras import layers, ops
from trainers import CONFIG, SPEC, simulate_gpu, small, steps, take_turns, trainer, weights

from pipeline.device import fusion
from pipeline.network.architectures import ARCHITECTURES
from pipeline.training import steps as steps_module
from pipeline.training.checkpoint import restore, save
from pipeline.training.loop import train_member

if keras.backend.backend() != "tensorflow":
    pytest.skip("JAX compiles the whole step on every device", allow_module_level=True)

import tensorflow as tf

BATCH = 4


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    simulate_gpu(monkeypatch)


def values(variables):
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_resumes_and_loads(t, folder, digits):
    """From a checkpoint, a trainer comes to the same bits again; its saved network predicts what it predicts."""
    save(folder, {"config": "this"}, t.variables, [{"epoch": 1}])
    result = t.run(*steps(2, BATCH))
    after = values(t.variables)
    t.reset(9)
    assert restore(folder, {"config": "this"}, t.variables) == ([{"epoch": 1}], [])
    assert t.run(*steps(2, BATCH)) == result
    assert_equal(values(t.variables), after)
    t.network.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    images = digits.images[:3, ..., None].astype(np.float32)
    np.testing.assert_allclose(loaded(images), t.network(images), rtol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("ghouzam", {"optimizer": "rmsprop"}),
        pytest.param(
            *("residual", {"optimizer": "adamw", "weight_decay": 0.01, "ema_momentum": 0.9, "label_smoothing": 0.1}),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_network_computes_the_same_compiled_whole(architecture, changes, digits, tmp_path, monkeypatch):
    """The arms take turns from layer to layer, so that each network has all of them."""
    take_turns(monkeypatch, architecture)
    config = replace(CONFIG, batch_size=BATCH, **changes)
    t = trainer(digits, config, architecture=architecture, dropout=0.0)  # XLA draws other numbers from the same seed
    t.reset(2)
    compiled, after = t.run(*steps(1, BATCH)), weights(t)
    assert t.xla == "whole step"
    assert all(spec.shape.is_fully_defined() for spec in t.steps._run.input_signature)  # XLA compiles per shape
    assert_resumes_and_loads(t, tmp_path, digits)
    t.reset(2)
    t.steps.refuse("for comparison")
    loss, correct = t.run(*steps(1, BATCH))
    assert compiled[0] == pytest.approx(loss, rel=1e-5)
    assert compiled[1] == correct
    difference = np.concatenate([np.abs(a - b).ravel() for a, b in zip(after, weights(t), strict=True)])
    assert np.mean(difference) < 2e-5  # the step is 1e-3, in a direction that rounding decides near a zero gradient


def test_float16_learns_averages_and_skips_a_step_that_overflows(digits, tmp_path):
    config = replace(CONFIG, batch_size=BATCH, ema_momentum=0.9, optimizer="adamw", weight_decay=0.01)
    t = trainer(digits, config, "mixed_float16", activation="swish_beta")
    t.reset(1)
    losses = [t.run(*steps(4, BATCH, rate=5e-3))[0] for _ in range(8)]
    assert losses[-1] < losses[0]
    assert t.warnings() == []
    assert_resumes_and_loads(t, tmp_path, digits)

    inner = t.optimizer.inner_optimizer
    kept = [*t.network.trainable_variables, *(v for v in inner.variables if v is not inner.learning_rate)]
    assert any("average" in v.path for v in kept)
    before = values(kept)
    t.optimizer.dynamic_scale.assign(1e36)
    t.run(*steps(1, BATCH))
    assert_equal(values(kept), before)
    assert float(ops.convert_to_numpy(t.optimizer.dynamic_scale)) == pytest.approx(5e35)
    t.optimizer.dynamic_scale.assign(64.0)
    t.run(*steps(1, BATCH))
    assert any((a != b).any() for a, b in zip(values(kept), before, strict=True))


def test_an_error_of_compiled_steps_is_no_refusal(digits, monkeypatch):
    t = trainer(digits)
    t.reset(0)
    t.run(*steps(1))

    def fail(*_):
        raise tf.errors.InternalError(None, None, "the card fell off the bus")

    monkeypatch.setattr(t.steps, "_run", fail)
    with pytest.raises(tf.errors.InternalError, match="fell off"):
        t.run(*steps(1))
    assert t.xla == "whole step"


def test_a_loss_scale_below_1_is_a_warning(digits):
    t = trainer(digits, policy="mixed_float16")
    t.reset(0)
    t.optimizer.dynamic_scale.assign(1.0)
    assert t.warnings() == []
    t.optimizer.dynamic_scale.assign(0.5)
    assert "loss scale of float16 fell below 1" in t.warnings()[0]


class Spelled(layers.Layer):
    """The identity, by way of text, which XLA does not know."""

    def call(self, inputs):
        text = tf.strings.as_string(tf.stop_gradient(inputs))
        return inputs + 0 * tf.strings.to_number(text)


def test_where_xla_refuses_the_member_is_trained_without_it_and_both_log_and_record_say_so(
    digits, tmp_path, monkeypatch
):
    monkeypatch.setitem(ARCHITECTURES, "small", small)
    monkeypatch.setattr(trainers, "activation_layer", lambda *_: Spelled())
    spec = changed(SPEC, folds=5, fold=0, train=replace(CONFIG, epochs=2))
    compiled, seen = {}, []
    member, _ = train_member(spec, digits, tmp_path / "first", compiled, seen.append)
    warnings = [progress.warning for progress in seen if progress.warning]
    assert len(warnings) == 1
    assert "XLA did not compile the training step, so it is slower: " in warnings[0]
    assert "AsString" in warnings[0]
    assert member.environment["xla"].startswith("refused: ")

    monkeypatch.setattr(steps_module, "xla_failure", lambda: "told not to")
    never, _ = train_member(spec, digits, tmp_path / "second", {}, lambda _: None)
    assert never.test_probabilities.tobytes() == member.test_probabilities.tobytes()
    again, _ = train_member(replace(spec, seed=1), digits, tmp_path / "third", compiled, lambda _: None)
    assert again.environment["xla"] == member.environment["xla"]


def test_where_xla_does_not_work_at_all_nothing_is_left_to_it(digits, monkeypatch):
    for module in (fusion, steps_module):
        monkeypatch.setattr(module, "xla_failure", lambda: "ptxas is missing")
    fusion.one_pass.cache_clear()
    t = trainer(digits)
    t.reset(0)
    t.run(*steps(1))
    assert t.xla == "refused: ptxas is missing"
    library = t.steps._run.get_concrete_function().graph.as_graph_def().library.function
    assert not any(function.attr["_XlaMustCompile"].b for function in library)
    fusion.one_pass.cache_clear()
