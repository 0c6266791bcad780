from dataclasses import replace

import numpy as np
import pytest
from factories import changed
from keras import ops

from pipeline.config.schema import member_specs
from pipeline.data.folds import split_rows
from pipeline.training import loop as train
from pipeline.training.loop import DivergedError, train_member
from pipeline.training.trainer import Trainer


@pytest.fixture(scope="module")
def trainers():
    return {}


def run(spec, digits, folder, trainers, watch=lambda _: None):
    return train_member(spec, digits, folder, trainers, watch)[0]


def warnings_of(seen):
    return " ".join(progress.warning for progress in seen if progress.warning)


def test_history_rows_and_probabilities(spec, digits, tmp_path, trainers, monkeypatch):
    """With a moving average, the history is of the weights that are used in the end."""
    spec = changed(spec, ema_momentum=0.7)
    seen, calls, run_steps = [], [], Trainer.run

    def record(self, *steps):
        calls.append(run_steps(self, *steps))
        return calls[-1]

    monkeypatch.setattr(Trainer, "run", record)
    result = run(spec, digits, tmp_path, trainers, seen.append)
    assert [r["loss"] for r in result.history] == [loss / 4 for loss, _ in calls]  # one call of 4 steps an epoch
    assert [r["accuracy"] for r in result.history] == [right / 80 for _, right in calls]
    training, validation = split_rows(spec, digits)
    assert result.validation_rows.tolist() == validation.tolist()
    assert sorted([*training, *validation]) == list(range(100))
    assert result.validation_probabilities.shape == (20, 10)
    assert result.test_probabilities.shape == (30, 10)
    np.testing.assert_allclose(result.test_probabilities.sum(axis=1), 1, rtol=1e-5)
    assert [record["epoch"] for record in result.history] == [1, 2, 3]
    last = result.history[-1]
    right = result.validation_probabilities.argmax(axis=1) == digits.labels[validation]
    assert last["validation_accuracy"] == right.mean()
    of_truth = result.validation_probabilities[np.arange(20), digits.labels[validation]]
    assert last["validation_loss"] == pytest.approx(-np.log(of_truth).mean(), rel=1e-5)
    assert last["seconds"] > 0
    assert [p.record for p in seen if p.record] == result.history
    assert seen[-1].epoch == 3
    assert seen[-1].step == seen[-1].steps == 4


def test_same_spec_same_bits_also_after_other_members(spec, digits, tmp_path, trainers):
    first = run(spec, digits, tmp_path / "a", trainers)
    first_test = first.test_probabilities
    run(replace(spec, seed=9), digits, tmp_path / "b", trainers)
    again = run(spec, digits, tmp_path / "c", trainers)
    fresh = run(spec, digits, tmp_path / "d", {})
    for other in (again, fresh):
        assert other.test_probabilities.tobytes() == first_test.tobytes()


def test_calls_of_three_steps_give_the_bits_of_one_call_an_epoch(spec, digits, tmp_path, trainers, monkeypatch):
    """An epoch has four steps, each with a rate of its own."""
    whole = run(spec, digits, tmp_path / "whole", trainers)
    monkeypatch.setattr(train, "STEPS_PER_CALL", 3)
    parts = run(spec, digits, tmp_path / "parts", trainers)
    assert parts.test_probabilities.tobytes() == whole.test_probabilities.tobytes()
    for record, other in zip(parts.history, whole.history, strict=True):
        assert record == other | {"seconds": record["seconds"], "loss": pytest.approx(other["loss"], rel=1e-6)}


class StoppedError(Exception):
    pass


def test_resumed_is_bit_for_bit_uninterrupted(spec, digits, tmp_path, trainers):
    """With all that a checkpoint holds. A plain network is killed for real in test_workers.py."""
    changes = {"optimizer": "adamw", "weight_decay": 0.01, "ema_momentum": 0.9, "fresh_statistics": True}
    spec = changed(spec, architecture="deotte", **changes)
    whole = run(spec, digits, tmp_path / "whole", trainers)
    expected = whole.test_probabilities.tobytes()

    def stop(progress):
        if progress.epoch > 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        run(spec, digits, tmp_path / "cut", trainers, stop)
    resumed = run(spec, digits, tmp_path / "cut", trainers)
    assert resumed.fingerprints == whole.fingerprints
    assert resumed.test_probabilities.tobytes() == expected
    deterministic = [{k: v for k, v in r.items() if k != "seconds"} for r in resumed.history]
    assert deterministic == [{k: v for k, v in r.items() if k != "seconds"} for r in whole.history]


def test_damaged_checkpoint_costs_an_epoch_and_a_warning(spec, digits, tmp_path, trainers):
    whole = run(spec, digits, tmp_path, trainers)
    expected = whole.test_probabilities.tobytes()
    (tmp_path / "epoch-0003.npz").write_bytes(b"broken")
    seen = []
    assert run(spec, digits, tmp_path, trainers, seen.append).test_probabilities.tobytes() == expected
    assert "epoch-0003.npz is damaged" in warnings_of(seen)
    assert [p.record["epoch"] for p in seen if p.record] == [3]


def test_a_checkpoint_on_other_data_is_not_used(spec, digits, tmp_path, trainers):
    run(spec, digits, tmp_path, trainers)
    seen = []
    run(spec, replace(digits, images=255 - digits.images), tmp_path, trainers, seen.append)
    assert "is not used, as it was made with data " in warnings_of(seen)
    assert [p.record["epoch"] for p in seen if p.record] == [1, 2, 3]


def test_arms_of_a_seed_share_rows_augmentation_rates_and_initial_weights(tiny, digits, tmp_path, monkeypatch):
    calls, starts = {}, {}

    class Recorder(Trainer):
        def __init__(self, spec, *rest):
            super().__init__(spec, *rest)
            self.arm = spec.activation

        def reset(self, seed):
            super().reset(seed)
            starts.setdefault(self.arm, []).append([ops.convert_to_numpy(v) for v in self.network.variables])

        def run(self, *steps):
            calls.setdefault(self.arm, []).append(steps)
            return super().run(*steps)

    monkeypatch.setattr(train, "Trainer", Recorder)
    config = changed(tiny, seeds=2, arms=("relu", "swish"), epochs=2)
    shared, fingerprints = {}, {}
    for spec in member_specs(config):
        fingerprints[spec.id] = run(spec, digits, tmp_path / spec.id, shared).fingerprints
    assert fingerprints["relu-s0-f0"] == fingerprints["swish-s0-f0"]
    for kind, differs in (("rows", False), ("draws", True), ("initial_weights", True), ("dropout", True)):
        assert (fingerprints["relu-s0-f0"][kind] != fingerprints["relu-s1-f0"][kind]) is differs
    for ours, theirs in zip(calls["relu"], calls["swish"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    for ours, theirs in zip(starts["relu"], starts["swish"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    rows = [c[0].ravel().tolist() for c in calls["relu"]]
    assert len({tuple(r) for r in rows}) == 4  # each seed and epoch has an order of its own
    training, _ = split_rows(member_specs(config)[0], digits)
    assert all(sorted(r) == training.tolist() for r in rows)


def test_all_rows_train_and_none_validate(spec, digits, tmp_path):
    spec = changed(spec, fold=None, folds=0, epochs=1)
    result = run(spec, digits, tmp_path, {})
    assert result.validation_probabilities.shape == (0, 10)
    assert "validation_accuracy" not in result.history[0]
    assert split_rows(spec, digits)[0].tolist() == list(range(100))


def test_a_loss_that_is_no_number_is_an_error_with_the_remedy(spec, digits, tmp_path):
    spec = replace(spec, activation="exponential")  # the fourth convolution's is beyond float32 before the first step
    with pytest.raises(DivergedError, match=r"loss is nan in epoch 1.*exponential-s0-f0.*Lower --train.learning-rate"):
        run(spec, digits, tmp_path, {})


@pytest.mark.parametrize(
    ("fold", "changes", "what"),
    [
        (0, {"learning_rate": 1e30}, "a probability is"),  # weights of 1e30 are numbers, what they compute is none
        (None, {"learning_rate": 3e38, "ema_momentum": 0.9}, "kernel is"),
    ],
)
def test_a_last_update_that_breaks_the_network_is_noticed_at_each_attempt(fold, changes, what, spec, digits, tmp_path):
    """The loss of a step is taken before its update, so that of the only step here is fine."""
    spec = changed(
        replace(spec, activation="relu", fold=fold),
        **{"folds": 0 if fold is None else 5, "epochs": 1, "batch_size": 80, "optimizer": "rmsprop", **changes},
    )
    for _ in range(2):
        with pytest.raises(DivergedError, match=rf"{what} not finite after the last step.*{spec.id} diverged.*Lower"):
            run(spec, digits, tmp_path, {})
