import os
import re
import signal
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.errors import RunError
from pipeline.config.schema import member_specs
from pipeline.records.members import invalid_reason, read_member
from pipeline.records.run_folder import RunFolder
from pipeline.training.loop import train_member
from pipeline.training.workers import Workers


class Recorder:
    """Keeps the warnings."""

    def __init__(self):
        self.warnings = []

    def begin(self, finished, total):
        pass

    def watch(self, spec, progress):
        pass

    def warn(self, text):
        self.warnings.append(text)


def test_killed_workers_lose_only_the_member_in_flight(tiny, digits, tmp_path):
    """Real SIGKILLs: once in the first member, always in the second; the third diverges; the fourth is untouched."""
    specs = member_specs(replace(tiny, arms=("relu",), seeds=4))
    first, second, third, fourth = specs
    third = replace(third, activation="exponential")  # beyond float32 before the first step
    kills = {first.id: 1, second.id: 99}
    observer, folder = Recorder(), RunFolder(tmp_path)

    def kill(spec, progress):
        if progress.record and progress.record["epoch"] >= 2 and kills.get(spec.id, 0) > 0:
            kills[spec.id] -= 1
            worker = next(worker for worker in engine._workers if worker.spec == spec)
            os.kill(worker.process.pid, signal.SIGKILL)

    observer.watch = kill
    with Workers(folder) as engine:
        failed = engine.run([first, second, third, fourth], digits, observer)
        workers = list(engine._workers)
    assert not any(worker.process.is_alive() for worker in workers)

    assert set(failed) == {second.id, third.id}
    assert re.fullmatch(r"worker \d ended with exit code -9, twice", failed[second.id])
    assert "Lower --train.learning-rate" in failed[third.id]
    assert len(observer.warnings) == 4
    told = "\n".join(observer.warnings)
    assert told.count(f"trained {first.id}, which is tried once more") == 1
    assert told.count(f"trained {second.id}, which is tried once more") == 1
    assert f"{second.id} failed and is left out" in told
    assert f"{third.id} failed and is left out" in told
    assert sorted(p.name for p in (tmp_path / "members").iterdir()) == sorted([first.id, fourth.id])
    assert not (tmp_path / "checkpoints" / first.id).exists()
    for spec in (first, fourth):
        assert invalid_reason(folder.member(spec), spec, digits.digest()) is None
    tf.config.experimental.enable_op_determinism()
    expected, _ = train_member(first, digits, tmp_path / "here", {}, lambda _: None)
    np.testing.assert_array_equal(
        read_member(folder.member(first), first).test_probabilities, expected.test_probabilities
    )


def test_a_worker_that_cannot_start_is_an_error_with_the_end_of_its_log(spec, digits, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    with (
        Workers(RunFolder(tmp_path)) as engine,
        pytest.raises(RunError, match=r"(?s)before it could train.*worker-0.log.*nonsense"),
    ):
        engine.run([spec], digits, Recorder())


def test_nothing_to_do(digits, tmp_path):
    with Workers(RunFolder(tmp_path)) as engine:
        assert engine.run([], digits, Recorder()) == {}
