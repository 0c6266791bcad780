import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import RunError, members
from pipeline.device import use_device
from pipeline.engine import Engine
from pipeline.members import flaw, read
from pipeline.train import train_member


def test_killed_workers_lose_only_the_member_in_flight(tiny, digits, tmp_path):
    """Real SIGKILLs: once in the first member, always in the second; the third diverges; the fourth is untouched."""
    specs = members(replace(tiny, arms=("relu",), seeds=4))
    first, second, third, fourth = specs
    third = replace(third, train=replace(third.train, learning_rate=1e30))
    kills = {first.id: 1, second.id: 99}
    started, warnings = [], []

    def watch(spec, progress):
        if spec.id not in started[-1:]:
            started.append(spec.id)
        if progress.record and progress.record["epoch"] >= 2 and kills.get(spec.id, 0) > 0:
            kills[spec.id] -= 1
            (worker,) = engine._workers
            os.kill(worker.process.pid, signal.SIGKILL)

    with Engine(tmp_path) as engine:
        failed = engine.run([first, second, third, fourth], digits, watch, warnings.append)
        (worker,) = engine._workers
    assert not worker.process.is_alive()

    assert set(failed) == {second.id, third.id}
    assert failed[second.id] == "worker 0 ended with exit code -9, twice"
    assert "Lower --train.learning-rate" in failed[third.id]
    assert len(warnings) == 4
    assert f"trained {first.id}, which is tried once more" in warnings[0]
    assert f"{second.id} failed and is left out" in warnings[2]
    assert sorted(p.name for p in (tmp_path / "members").iterdir()) == sorted([first.id, fourth.id])
    assert not (tmp_path / "checkpoints" / first.id).exists()
    for spec in (first, fourth):
        folder = tmp_path / "members" / spec.id
        assert flaw(folder, spec, digits.digest()) is None
    use_device(0)
    expected = train_member(first, digits, tmp_path / "here", {}, lambda _: None)
    np.testing.assert_array_equal(
        read(tmp_path / "members" / first.id, first).test_probabilities, expected.test_probabilities
    )


def test_a_worker_that_cannot_start_is_an_error_with_the_end_of_its_log(spec, digits, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    with (
        Engine(tmp_path) as engine,
        pytest.raises(RunError, match=r"(?s)before it could train.*worker-0.log.*nonsense"),
    ):
        engine.run([spec], digits, lambda *_: None, lambda _: None)


def test_nothing_to_do(digits, tmp_path):
    with Engine(tmp_path) as engine:
        assert engine.run([], digits, lambda *_: None, lambda _: None) == {}
