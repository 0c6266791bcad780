"""Members on a real Ray cluster of two nodes, of which one is lost; and what can be tried without any."""

import os
import re
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import run
from factories import changed, damage
from filelock import FileLock, Timeout
from stand_in_worker import guess

from pipeline.config.errors import RunError, UserError
from pipeline.config.schema import member_specs
from pipeline.records.members import commit_files, read_member
from pipeline.records.run_folder import RunFolder
from pipeline.training import cluster as cluster_module
from pipeline.training import engine, ray_connection
from pipeline.training.cluster import Cluster
from pipeline.training.limits import Limits
from pipeline.training.messages import Diverged, Progress
from pipeline.training.nodes import Started, train_and_pack
from pipeline.training.ray_connection import member_needs

EPOCHS = 30  # so that a member is caught while it trains
LONGEST_WAIT = 60  # seconds
NO_RAY = "Ray is not installed: python -m pip install -r requirements-cluster.txt"
needs_ray = pytest.mark.skipif(not ray_connection.find_spec("ray"), reason=NO_RAY)


class Recorder:
    """Keeps the warnings and the finished members; `watch` is the test's."""

    def __init__(self, watch=lambda spec, progress: None):
        self.warnings, self.ids, self.watch = [], [], watch

    def begin(self, finished, total):
        pass

    def finished(self, spec):
        self.ids.append(spec.id)

    def failed(self, spec, reason):
        self.warnings.append(f"{spec.id} failed: {reason}")

    def warn(self, text):
        self.warnings.append(text)


class WithoutOne(Limits):
    """No limits, but for one member, which would not end in time."""

    def __init__(self, late):
        super().__init__()
        self.late = late

    def allow(self, spec, epochs_done):
        return spec != self.late


class At(Limits):
    """No limits, but what happens as soon as a member's task is there."""

    def __init__(self, member, act):
        super().__init__()
        self.member, self.act, self.done = member, act, False

    @property
    def over(self):
        if not self.done and tasks_of(self.member):
            self.done = True
            self.act()
        return False


@pytest.fixture(scope="module")
def nodes():
    """A cluster whose head trains nothing, with two nodes of one core. The last test takes its head away."""
    pytest.importorskip("ray", reason=NO_RAY)
    from ray.cluster_utils import Cluster as RayCluster

    cluster = RayCluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def tasks_of(member):
    """Process ids of a member's tasks, each with that of its node."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_text().startswith(f"ray::{member}"):
                status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
                found[int(process.name)] = int(status["PPid"])
        except (OSError, ValueError):
            continue  # it has just ended
    return found


def node_of(cluster, member):
    (raylet,) = set(tasks_of(member).values())
    return next(n for n in cluster.worker_nodes if n.all_processes["raylet"][0].process.pid == raylet)


def test_other_versions_on_a_node_are_an_error_before_any_training(nodes, spec, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "installed_version", lambda package: "9.9")  # here, but not on the nodes
    with (
        Cluster(RunFolder(tmp_path), nodes.address) as cluster,
        pytest.raises(RunError, match=r"the node \S+ has keras [\d.]+ \(here 9\.9\), tensorflow .*same on all nodes"),
    ):
        cluster.run([spec], digits, Recorder(), Limits())


def test_a_lost_process_and_a_lost_node_cost_only_what_was_in_flight_there(nodes, tiny, digits, tmp_path):
    killed, diverging, cut_off, late = member_specs(changed(tiny, arms=("relu",), seeds=4, epochs=EPOCHS))
    diverging = changed(diverging, learning_rate=1e30)
    folder, losses, handler = RunFolder(tmp_path), {}, signal.getsignal(signal.SIGTERM)

    def lose(spec, progress):
        assert signal.getsignal(signal.SIGTERM) is handler  # not Ray's
        if spec in losses or not progress.record:
            return
        losses[spec] = node_of(nodes, spec.id)
        if spec == killed:
            os.kill(next(iter(tasks_of(spec.id))), signal.SIGKILL)
        if spec == cut_off:
            nodes.remove_node(losses[spec], allow_graceful=False)

    observer = Recorder(lose)
    with Cluster(folder, nodes.address) as cluster:
        failed = cluster.run([killed, diverging, cut_off, late], digits, observer, WithoutOne(late))

    assert set(failed) == {diverging.id}
    assert set(observer.ids) == {killed.id, cut_off.id}
    assert "Lower --train.learning-rate" in failed[diverging.id]
    text = "\n".join(observer.warnings)
    for spec in (killed, cut_off):
        assert re.search(rf"{spec.id} was lost on \S+ and is tried once more", text)
        assert damage(folder.member(spec), spec, digits.digest()) is None
    survivor = next(iter(nodes.worker_nodes)).node_id[:8]
    member = read_member(folder.member(cut_off), cut_off, digits.digest())
    assert member.environment["node"].endswith(f"Ray node {survivor}")

    from trainers import deterministic

    from pipeline.training.loop import train_member

    with deterministic():
        expected, _ = train_member(cut_off, digits, tmp_path / "here", {}, lambda _: None)
    np.testing.assert_array_equal(member.test_probabilities, expected.test_probabilities)
    assert member.fingerprints == expected.fingerprints


def test_ctrl_c_cancels_what_runs(nodes, spec, digits, tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Cluster(RunFolder(tmp_path), nodes.address) as cluster:
        cluster.run([spec], digits, Recorder(), At(spec.id, interrupt))
    end = time.monotonic() + LONGEST_WAIT
    while tasks_of(spec.id) and time.monotonic() < end:
        time.sleep(0.05)
    assert not tasks_of(spec.id)


def test_when_the_head_is_lost_the_error_says_how_to_go_on(nodes, spec, digits, tmp_path):
    def behead():
        nodes.head_node.kill_all_processes(check_alive=False, allow_graceful=False)

    with (
        Cluster(RunFolder(tmp_path), nodes.address) as cluster,
        pytest.raises(RunError, match=r"the head of the Ray cluster is lost.*\n.*rerun the same command"),
    ):
        cluster.run([spec], digits, Recorder(), At(spec.id, behead))


@needs_ray
def test_the_command_trains_on_a_ray_of_its_own_to_the_bits_of_the_worker_processes(finished, csv_source, tmp_path):
    done = run(tmp_path, csv_source, "out", "--engine", "ray")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (tmp_path / "out/submission.csv").read_bytes() == (finished[0] / "submission.csv").read_bytes()
    assert '"node": "' in (tmp_path / "out/environment.json").read_text()


@needs_ray
@pytest.mark.parametrize(("address", "variable", "words"), [
    ("ray://127.0.0.1:9", "", "at ray://127.0.0.1:9: nothing answers there"),
    (None, "127.0.0.1:9", r"at 127.0.0.1:9 \(by RAY_ADDRESS\): nothing answers there"),
    ("nonsense", "", "at nonsense: Invalid address format"),
])  # fmt: skip
def test_no_cluster_at_the_address(spec, digits, tmp_path, address, variable, words, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", variable)
    with (
        Cluster(RunFolder(tmp_path), address) as cluster,
        pytest.raises(RunError, match=f"(?s)cannot connect to the Ray cluster {words}.*docs/cluster.md"),
    ):
        cluster.run([spec], digits, Recorder(), Limits())


def test_without_ray_the_error_names_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"python -m pip install -r requirements-cluster\.txt"):
        Cluster(RunFolder(tmp_path), None)


def node(cpus, gibibytes, gpus=0, alive=True):
    return {"Alive": alive, "Resources": {"CPU": cpus, "memory": gibibytes << 30, "GPU": gpus}}


def test_a_member_takes_a_core_memory_and_half_a_gpu_where_there_are_any():
    small, large, with_gpu = node(1, 1), node(4, 16), node(4, 16, gpus=1)
    assert member_needs([small, large]) == {"num_cpus": 1, "memory": 2 << 30}
    assert member_needs([small, node(4, 16, gpus=1, alive=False)]) == {"num_cpus": 1, "memory": 1 << 30}
    assert member_needs([small, large, with_gpu])["num_gpus"] == 0.5


@pytest.fixture
def train(monkeypatch):
    """Puts a function in the place of `train_member`."""
    loop = pytest.importorskip("pipeline.training.loop")
    return lambda function: monkeypatch.setattr(loop, "train_member", function)


def test_on_a_node_a_member_is_trained_alone_and_leaves_nothing_there(spec, digits, train, tmp_path):
    reports, checkpoints = [], tmp_path / "run" / spec.id

    def train_member(spec, digits, checkpoints, trainers, watch):
        with pytest.raises(Timeout):
            FileLock(checkpoints / ".lock", timeout=0).acquire()
        (checkpoints / "epoch-0001.npz").touch()
        watch("a report")
        return guess(spec, digits), SimpleNamespace(save=Path.touch)

    train(train_member)
    files = train_and_pack(spec, digits, checkpoints, "here, Ray node 1f", reports.append)
    assert reports == ["a report"]
    assert b"here, Ray node 1f" in files["member.json"]
    assert not checkpoints.exists()
    folder = tmp_path / "members" / spec.id
    commit_files(folder, files, spec, digits.digest())
    assert damage(folder, spec, digits.digest()) is None


def test_on_a_node_a_killed_attempt_leaves_its_checkpoints_and_one_that_diverged_none(spec, digits, train, tmp_path):
    from pipeline.training.loop import DivergedError

    checkpoints = tmp_path / "run" / spec.id

    def fail(error):
        def train_member(spec, digits, checkpoints, trainers, watch):
            (checkpoints / "epoch-0001.npz").touch()
            raise error

        return train_member

    train(fail(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        train_and_pack(spec, digits, checkpoints, "here", lambda _: None)
    assert (checkpoints / "epoch-0001.npz").exists()
    error = DivergedError("the loss is NaN", spec)
    train(fail(error))
    assert train_and_pack(spec, digits, checkpoints, "here", lambda _: None) == Diverged(str(error))
    assert not checkpoints.exists()


@pytest.fixture
def training(spec):
    """What follows one task, without a cluster."""
    training = cluster_module._Training.__new__(cluster_module._Training)
    training._observer, training._limits, training._on_gpus = Recorder(), Limits(), True
    training.tasks = {"a ref": cluster_module._Task(spec)}
    return training


def test_a_node_that_trains_on_its_cpu_beside_a_gpu_is_warned_about(training, spec):
    from pipeline.device.accelerator import Device

    def progress(kind):
        return Progress(0, 0, 1, 0.0, 0.0, device=Device(kind, "a chip", 1, "float32"))

    training._pass_on([(spec.id, Started("there", {})), (spec.id, progress("gpu"))])
    assert training._observer.warnings == []
    training._pass_on([(spec.id, progress("cpu")), ("another", progress("cpu"))])
    (warning,) = training._observer.warnings
    assert f"the node there has a GPU for {spec.id} but computes on a chip" in warning
