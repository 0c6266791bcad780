"""What becomes of members and devices when workers die: real processes, pipes and signals."""

import os
import re
import signal
from dataclasses import replace

import numpy as np
import pytest
from factories import damage
from stand_in_worker import TRAINED, describe_birth, plan_faults, stand_in
from trainers import deterministic

from pipeline.config.errors import RunError
from pipeline.config.schema import member_specs
from pipeline.records.members import read_member
from pipeline.records.run_folder import RunFolder
from pipeline.training.limits import Limits
from pipeline.training.process import WorkerProcess
from pipeline.training.workers import Workers


class Recorder:
    """Keeps what it hears."""

    def __init__(self):
        self.warnings, self.done = [], []

    @property
    def text(self):
        return "\n".join(self.warnings)

    def watch(self, spec, progress):
        pass

    def finished(self, spec):
        self.done.append(spec.id)

    def failed(self, spec, reason):
        self.warnings.append(f"{spec.id} failed: {reason}")

    def warn(self, text):
        self.warnings.append(text)


@pytest.fixture
def specs(tiny):
    """relu-s0-f0, swish-s0-f0, relu-s1-f0 ... swish-s3-f0."""
    return member_specs(replace(tiny, seeds=4))


@pytest.fixture
def train(specs, digits, tmp_path, monkeypatch):
    """Train the members with stand-in workers among which some faults happen."""
    stand_in(monkeypatch)
    folder = RunFolder(tmp_path)

    def run(*faults, capacity=2, observer=None):
        plan_faults(tmp_path, *faults, capacity=capacity)
        observer = observer or Recorder()
        with Workers(folder, specs) as engine:
            failed = engine.run(specs, digits, observer, Limits())
            everyone = [worker.process for worker in engine._workers]
        assert not any(process.is_alive() for process in everyone)
        lines = [line.split() for line in (tmp_path / TRAINED).read_text().splitlines()]
        for spec in specs:
            if spec.id in observer.done:
                assert damage(folder.member(spec), spec, digits.digest()) is None
        return failed, observer, lines

    return run


def ids(specs):
    return sorted(spec.id for spec in specs)


def test_a_worker_that_dies_is_done_without_and_its_member_is_tried_by_another(train, specs):
    failed, observer, lines = train({"how": "crash", "number": 1})
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert {number for _, number in lines} == {"0"}
    (warning,) = observer.warnings
    assert re.match(r"worker 1 ended: exit code 3. \S+ is tried once more. Going on without it, with 1; see ", warning)


def test_so_is_one_that_dies_before_it_can_train(train, specs):
    failed, observer, _ = train({"how": "crash", "number": 1, "when": "start"})
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert "worker 1 ended before it could train: exit code 3. Going on without it, with 1; " in observer.text


def test_the_last_that_trains_is_replaced_though_another_is_still_starting(train, specs):
    late = {"how": "crash_later", "number": 1, "when": "start"}
    failed, observer, _ = train({"how": "crash", "number": 0, "times": 1}, late)
    assert failed == {}
    assert sorted(observer.done) == ids(specs)


def test_a_member_that_dies_everywhere_is_left_out_and_only_it_and_the_last_worker_is_replaced(train, specs):
    failed, observer, _ = train({"how": "crash", "member": "relu-s1-f0"})
    assert list(failed) == ["relu-s1-f0"]
    assert failed["relu-s1-f0"].startswith("its worker ended twice: exit code 3; see ")
    assert sorted([*observer.done, "relu-s1-f0"]) == ids(specs)
    died = set(re.findall(r"worker-(\d).log", observer.text))
    assert died == {"0", "1"}  # one after the other


@pytest.mark.parametrize("how", ["kill", "bad_alloc", "host_memory", "device_memory"])
def test_what_runs_out_of_memory_goes_on_with_fewer_workers(how, train, specs):
    """There is room for one of three. A member may die with both of the others."""
    failed, observer, lines = train({"how": how, "number": 1}, {"how": how, "number": 2}, capacity=3)
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert {number for _, number in lines} == {"0"}
    assert "Going on without it, with 1" in observer.text
    if how == "device_memory":
        assert observer.text.count("out of memory (ResourceExhaustedError: OOM when allocating tensor on") == 2


def test_killed_alone_a_member_has_a_second_try_and_the_others_go_on(train, specs):
    failed, observer, _ = train(
        {"how": "kill", "member": "relu-s0-f0", "times": 1}, {"how": "kill", "member": "swish-s1-f0"}, capacity=1
    )
    assert list(failed) == ["swish-s1-f0"]
    words = "its worker ended twice: killed, as happens when memory runs out; lower --train.batch-size or --width; "
    assert failed["swish-s1-f0"].startswith(words)
    assert sorted([*observer.done, "swish-s1-f0"]) == ids(specs)
    assert "relu-s0-f0 is tried once more. Another one takes its place" in observer.text
    assert observer.done[-1] == "relu-s0-f0"  # after all others


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("error", "ValueError: a thing"),
        ("abort", r"Unknown flag in XLA_FLAGS: --x\x1b[2J (SIGABRT)"),
    ],
)
def test_the_reason_of_a_dead_worker_is_its_last_error_or_the_line_that_says_why_it_aborts(how, words, train):
    failed, observer, _ = train({"how": how, "member": "relu-s0-f0"}, capacity=1)
    assert list(failed) == ["relu-s0-f0"]
    assert failed["relu-s0-f0"].startswith(f"its worker ended twice: {words}; ")
    assert observer.warnings[0].startswith(f"worker 0 ended: {words}. relu-s0-f0 is tried once more. ")


def test_without_a_log_the_reason_is_what_is_left(train, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.training.worker._print_to", lambda log: None)
    log = tmp_path / "logs/worker-0.log"
    with pytest.raises(RunError, match=f"before it could train: exit code 3. It left nothing in {log}"):
        train({"how": "crash", "when": "start"}, capacity=1)


def test_a_worker_that_hangs_is_named_and_waited_for(train, specs, monkeypatch):
    monkeypatch.setattr("pipeline.training.process.SILENCE", 0.3)
    observer = Recorder()
    warn = observer.warn

    def wake(text):
        warn(text)
        os.kill(int(re.search(r"worker 0 \(process (\d+)\) has said nothing", text)[1]), signal.SIGCONT)

    observer.warn = wake
    failed, _, _ = train({"how": "stop", "member": "swish-s0-f0", "times": 1}, capacity=1, observer=observer)
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert any("swish-s0-f0 makes no progress. Still waiting" in text for text in observer.warnings)


def test_a_disk_that_cannot_be_written_ends_the_run_and_is_nobodys_fault(train):
    observer = Recorder()
    with pytest.raises(RunError, match="Read-only file .*epoch-0001.npz"):
        train({"how": "read_only", "member": "relu-s1-f0"}, observer=observer)
    assert observer.text == ""


def test_signals_to_the_whole_group_are_left_to_the_parent(train, specs):
    failed, observer, _ = train({"how": "signals"})
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert observer.warnings == []


def test_a_worker_killed_in_training_resumes_to_the_same_bits(tiny, digits, tmp_path):
    """TensorFlow for real: SIGKILL in one member; another diverges."""

    from pipeline.training.loop import train_member

    killed, diverging = member_specs(replace(tiny, arms=("relu", "exponential")))  # beyond float32 before a first step
    observer, folder, kills = Recorder(), RunFolder(tmp_path), [killed]

    def kill(spec, progress):
        if progress.record and progress.record["epoch"] == 2 and spec in kills:
            kills.remove(spec)
            worker = next(worker for worker in engine._workers if worker.spec == spec)
            os.kill(worker.process.pid, signal.SIGKILL)

    observer.watch = kill
    with Workers(folder, [killed]) as engine:
        failed = engine.run([killed, diverging], digits, observer, Limits())
    assert list(failed) == [diverging.id]
    assert "Lower --train.learning-rate" in failed[diverging.id]
    assert observer.done == [killed.id]
    assert "is tried once more" in observer.text
    assert [path.name for path in (tmp_path / "members").iterdir()] == [killed.id]
    assert not (tmp_path / "checkpoints" / killed.id).exists()
    with deterministic():
        expected, _ = train_member(killed, digits, tmp_path / "here", {}, lambda _: None)
    np.testing.assert_array_equal(
        read_member(folder.member(killed), killed, digits.digest()).test_probabilities, expected.test_probabilities
    )


def test_a_worker_is_born_deaf_to_signals_and_with_its_environment(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.training.process.serve", describe_birth)
    before = dict(os.environ), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    worker = WorkerProcess(0, RunFolder(tmp_path), {"KERAS_HOME": "nowhere"})
    try:
        assert worker.connection.poll(120)
        assert worker.connection.recv() == ({signal.SIGINT, signal.SIGTERM}, "nowhere")
    finally:
        worker.stop()
    assert (dict(os.environ), signal.pthread_sigmask(signal.SIG_BLOCK, [])) == before


def test_no_worker_that_can_start_is_an_error_with_its_reason_and_the_end_of_its_log(
    spec, digits, tmp_path, monkeypatch
):
    (tmp_path / "keras.py").write_text("raise ImportError('nonsense')")
    monkeypatch.syspath_prepend(tmp_path)
    log = RunFolder(tmp_path).worker_log(0)
    log.parent.mkdir()
    log.write_text("RuntimeError: of an earlier run\n" * 99)
    with Workers(RunFolder(tmp_path), [spec]) as engine, pytest.raises(RunError) as caught:
        engine.run([spec], digits, Recorder(), Limits())
    first, *lines = str(caught.value).splitlines()
    assert first == f"worker 0 ended before it could train: ImportError: nonsense. The end of {log}:"
    assert "of an earlier run" not in "".join(lines)
    assert lines[-1] == "ImportError: nonsense"


def test_nothing_to_do_starts_nothing(digits, tmp_path):
    with Workers(RunFolder(tmp_path), []) as engine:
        assert engine.run([], digits, Recorder(), Limits()) == {}
    assert not (tmp_path / "logs").exists()
