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
    """Keeps what it hears; each warning leaves a mark in the folder, for workers to wait for."""

    def __init__(self, folder):
        self.folder, self.warnings, self.done = folder, [], []

    @property
    def text(self):
        return "\n".join(self.warnings)

    def begin(self, finished, total):
        pass

    def watch(self, spec, progress):
        pass

    def finished(self, spec):
        self.done.append(spec.id)

    def warn(self, text):
        (self.folder / f"warned-{len(self.warnings)}").touch()
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

    def run(*faults, observer=None, limits=None, **plan):
        plan_faults(tmp_path, *faults, **plan)
        observer = observer or Recorder(tmp_path)
        with Workers(folder, specs) as engine:
            failed = engine.run(specs, digits, observer, limits or Limits())
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


def test_a_broken_device_is_given_up_and_its_members_are_trained_on_the_other(train, specs):
    failed, observer, lines = train({"how": "crash", "number": 1}, marks=["warned-2"])
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert {number for _, number in lines} == {"0"}
    assert "device 1 is given up: 2 workers in a row died on it" in observer.text
    assert observer.text.count("is tried once more") == 2


def test_both_workers_of_a_broken_gpu_end(train, specs):
    failed, observer, lines = train({"how": "crash", "number": 1}, {"how": "crash", "number": 3}, capacity=4, devices=2)
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert {int(number) % 2 for _, number in lines} == {0}


def test_deaths_that_are_not_in_a_row_cost_no_device(train, specs, tmp_path):
    """Worker 0 dies, finishes a member, and dies again, while worker 1 holds on to its first member."""
    failed, observer, _lines = train(
        {"how": "crash", "number": 0, "times": 1},
        {"how": "crash", "number": 0, "times": 1, "after": "committed-0"},
        {"number": 1, "times": 1, "until": "fault-1-0"},
    )
    assert (tmp_path / "fault-1-0").exists()
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert "given up" not in observer.text


def test_a_member_that_dies_everywhere_is_left_out_and_only_it(train, specs):
    failed, observer, _ = train({"how": "crash", "member": "relu-s1-f0"})
    assert list(failed) == ["relu-s1-f0"]
    assert failed["relu-s1-f0"].startswith("its worker ended twice: exit code 3; it left nothing in ")
    assert sorted([*observer.done, "relu-s1-f0"]) == ids(specs)
    died = set(re.findall(r"worker-(\d).log", observer.text))
    assert died == {"0", "1"}  # one after the other


@pytest.mark.parametrize("how", ["kill", "bad_alloc", "host_memory"])
def test_what_runs_out_of_memory_goes_on_with_fewer_workers(how, train, specs):
    """There is room for one of three."""
    failed, observer, lines = train({"how": how, "number": 1}, {"how": how, "number": 2}, capacity=3)
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert {number for _, number in lines} == {"0"}
    assert "Going on with 2 workers" in observer.text
    assert "Going on with 1 workers" in observer.text
    if how == "host_memory":
        assert "out of memory (MemoryError: Unable to allocate 3.00 GiB)" in observer.text


def test_killed_alone_a_member_has_a_second_try_and_the_others_go_on(train, specs):
    failed, observer, _ = train(
        {"how": "kill", "member": "relu-s0-f0", "times": 1}, {"how": "kill", "member": "swish-s1-f0"}, capacity=1
    )
    assert list(failed) == ["swish-s1-f0"]
    assert failed["swish-s1-f0"].startswith("its worker ended twice: killed, as happens when memory runs out; ")
    assert sorted([*observer.done, "swish-s1-f0"]) == ids(specs)
    assert "relu-s0-f0 is tried once more" in observer.text


def test_a_gpu_without_memory_for_two_trains_one_at_a_time(train, specs):
    failed, observer, lines = train(
        {"how": "device_memory", "number": 2}, {"how": "device_memory", "number": 3}, capacity=4, devices=2
    )
    assert failed == {}
    assert {number for _, number in lines} == {"0", "1"}
    assert observer.text.count("out of memory (ResourceExhaustedError: OOM when allocating tensor on") == 2


def test_a_gpu_without_memory_for_one_fails_that_member_at_once_and_says_what_helps(train, specs):
    failed, observer, _ = train({"how": "device_memory", "member": "swish-s0-f0"})
    assert list(failed) == ["swish-s0-f0"]
    assert "alone on its device. Lower --train.batch-size or --width." in failed["swish-s0-f0"]
    assert observer.text.count("out of memory") == 1
    assert sorted([*observer.done, "swish-s0-f0"]) == ids(specs)


def test_a_replacement_that_dies_at_its_start_ends_its_device_not_the_run(train, specs):
    failed, observer, _lines = train(
        {"how": "crash", "number": 1, "times": 1},
        {"how": "crash", "number": 1, "when": "start", "after": "fault-0-0"},
        marks=["warned-1"],
    )
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert "worker 1 ended before it could train: exit code 3. Going on without it, with 1; " in observer.text


def test_no_worker_that_can_start_is_an_error_with_its_reason_and_the_end_of_its_log(train, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/worker-0.log").write_text("RuntimeError: of an earlier run\n" * 99)
    with pytest.raises(RunError) as caught:
        train({"how": "error", "when": "start"})
    first, *log = str(caught.value).splitlines()
    assert first == (
        f"worker 0 ended before it could train: ValueError: a thing. The end of {tmp_path}/logs/worker-0.log:"
    )
    assert log[0] == "Traceback (most recent call last):"
    assert log[-1] == "that nobody foresaw"


def test_a_replacement_that_dies_at_its_start_leaves_what_is_finished(train, specs):
    failed, observer, _ = train(
        {"how": "crash", "member": "relu-s1-f0"},
        {"how": "error", "when": "start", "after": "fault-0-0"},
        capacity=1,
    )
    assert observer.done == ["relu-s0-f0", "swish-s0-f0"]
    assert failed == dict.fromkeys(
        [spec.id for spec in specs[2:]],
        "no worker is left: worker 0 ended before it could train: ValueError: a thing",
    )


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("error", "ValueError: a thing"),
        ("abort", r"Unknown flag in XLA_FLAGS: --x\x1b[2J (SIGABRT)"),
        ("crash", "exit code 3"),
    ],
)
def test_the_reason_of_a_dead_worker_is_its_last_error_or_the_line_that_says_why_it_aborts(how, words, train):
    failed, observer, _ = train({"how": how, "member": "relu-s0-f0"}, capacity=1)
    assert list(failed) == ["relu-s0-f0"]
    assert failed["relu-s0-f0"].startswith(f"its worker ended twice: {words}; ")
    assert observer.warnings[0].startswith(f"worker 0 ended: {words}. relu-s0-f0 is tried once more; ")


def test_without_a_log_the_reason_is_what_is_left(train, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.training.worker._print_to", lambda log: None)
    failed, _, _ = train({"how": "crash", "member": "relu-s0-f0"}, capacity=1)
    log = tmp_path / "logs/worker-0.log"
    assert failed == {"relu-s0-f0": f"its worker ended twice: exit code 3; it left nothing in {log}"}
    with pytest.raises(RunError, match=f"before it could train: exit code 3. It left nothing in {log}"):
        train({"how": "crash", "when": "start"}, capacity=1)


def test_a_worker_that_hangs_is_named_and_waited_for(train, specs, monkeypatch, tmp_path):
    monkeypatch.setattr("pipeline.training.process.SILENCE", 0.3)
    observer = Recorder(tmp_path)
    warn = observer.warn

    def wake(text):
        warn(text)
        os.kill(int(re.search(r"worker 0 \(process (\d+)\) has said nothing", text)[1]), signal.SIGCONT)

    observer.warn = wake
    failed, _, _ = train({"how": "stop", "member": "swish-s0-f0", "times": 1}, capacity=1, observer=observer)
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert any("swish-s0-f0 makes no progress. Still waiting" in text for text in observer.warnings)


@pytest.mark.parametrize(
    ("how", "words"),
    [("disk", r"no room to write .*epoch-0001.npz.*bytes are free"), ("read_only", "Read-only file .*epoch-0001.npz")],
)
def test_a_full_disk_ends_the_run_and_is_nobodys_fault(how, words, train, tmp_path):
    observer = Recorder(tmp_path)
    with pytest.raises(RunError, match=words):
        train({"how": how, "member": "relu-s1-f0"}, observer=observer)
    assert observer.text == ""


def test_a_request_to_stop_leaves_what_is_in_flight(train, specs, tmp_path):
    limits, observer = Limits(), Recorder(tmp_path)

    def stop(spec, progress):
        if spec.id == "swish-s1-f0":
            limits.stop()

    observer.watch = stop
    failed, _, _ = train(capacity=1, observer=observer, limits=limits)
    assert failed == {}
    assert observer.done == [spec.id for spec in specs[:3]]


def test_signals_to_the_whole_group_are_left_to_the_parent(train, specs):
    failed, observer, _ = train({"how": "signals"})
    assert failed == {}
    assert sorted(observer.done) == ids(specs)
    assert observer.warnings == []


def test_hours_that_do_not_reach_for_another_member_end_it(train, specs):
    failed, observer, _ = train(capacity=1, seconds=1000.0, limits=Limits(hours=0.5))  # a member takes 3 epochs
    assert failed == {}
    assert observer.done == [specs[0].id]


def test_workers_killed_in_training_resume_to_the_same_bits(tiny, digits, tmp_path):
    """TensorFlow for real: SIGKILL in the first member, a second that diverges, a third that is untouched."""

    from pipeline.training.loop import train_member

    first, second, third = member_specs(replace(tiny, arms=("relu",), seeds=3))
    second = replace(second, activation="exponential")  # beyond float32 before the first step
    observer, folder, kills = Recorder(tmp_path), RunFolder(tmp_path), [first]

    def kill(spec, progress):
        if progress.record and progress.record["epoch"] == 2 and spec in kills:
            kills.remove(spec)
            worker = next(worker for worker in engine._workers if worker.spec == spec)
            os.kill(worker.process.pid, signal.SIGKILL)

    observer.watch = kill
    with Workers(folder, [first]) as engine:
        failed = engine.run([first, second, third], digits, observer, Limits())
    assert list(failed) == [second.id]
    assert "Lower --train.learning-rate" in failed[second.id]
    assert sorted(observer.done) == sorted([first.id, third.id])
    assert sorted(p.name for p in (tmp_path / "members").iterdir()) == sorted([first.id, third.id])
    assert not (tmp_path / "checkpoints" / first.id).exists()
    for spec in (first, third):
        assert damage(folder.member(spec), spec, digits.digest()) is None
    with deterministic():
        expected, _ = train_member(first, digits, tmp_path / "here", {}, lambda _: None)
    np.testing.assert_array_equal(
        read_member(folder.member(first), first, digits.digest()).test_probabilities, expected.test_probabilities
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


def test_a_worker_that_cannot_start_is_an_error_with_the_end_of_its_log(spec, digits, tmp_path, monkeypatch):
    (tmp_path / "keras.py").write_text("raise ImportError('nonsense')")
    monkeypatch.syspath_prepend(tmp_path)
    with (
        Workers(RunFolder(tmp_path), [spec]) as engine,
        pytest.raises(RunError, match=r"before it could train: ImportError: nonsense.*worker-0.log"),
    ):
        engine.run([spec], digits, Recorder(tmp_path), Limits())


def test_nothing_to_do_starts_nothing(digits, tmp_path):
    with Workers(RunFolder(tmp_path), []) as engine:
        assert engine.run([], digits, Recorder(tmp_path), Limits()) == {}
    assert not (tmp_path / "logs").exists()
