"""Members on a real Ray cluster: two nodes on this machine, of which one is lost."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import environment, run
from factories import changed, damage
from trainers import deterministic

from pipeline.config.errors import RunError, UserError
from pipeline.config.schema import member_specs
from pipeline.records.members import read_member
from pipeline.records.run_folder import RunFolder
from pipeline.training import engine, ray_connection
from pipeline.training.cluster import Cluster
from pipeline.training.limits import Limits
from pipeline.training.loop import train_member
from pipeline.training.nodes import Mailbox, Reporter, Started
from pipeline.training.ray_connection import Head, connect, disconnect

EPOCHS = 60  # so that a member is caught while it trains
WITHOUT_END = 100_000


class Recorder:
    """Keeps the warnings and the finished members; `watch` is the test's."""

    def __init__(self, watch=lambda spec, progress: None):
        self.warnings, self.ids, self.watch = [], [], watch

    def begin(self, finished, total):
        pass

    def finished(self, spec):
        self.ids.append(spec.id)

    def warn(self, text):
        self.warnings.append(text)


@pytest.fixture(scope="module")
def nodes():
    """A cluster whose head trains nothing, with two nodes of one core."""
    pytest.importorskip("ray", reason="Ray is not installed: python -m pip install -r requirements-cluster.txt")
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


def test_a_lost_node_costs_only_what_was_in_flight_there_and_ctrl_c_cancels_the_rest(nodes, tiny, digits, tmp_path):
    config = changed(tiny, arms=("relu",), seeds=4, epochs=EPOCHS)
    specs = first, second, third, fourth = member_specs(config)
    specs[1] = second = changed(second, learning_rate=1e30)
    specs[3] = fourth = changed(fourth, epochs=WITHOUT_END)
    folder, lost, handler = RunFolder(tmp_path), [], signal.getsignal(signal.SIGTERM)

    def lose_node(spec, progress):
        assert signal.getsignal(signal.SIGTERM) is handler  # not Ray's
        if spec == first and progress.record and not lost:
            lost.append(node_of(nodes, first.id))
            nodes.remove_node(lost[0], allow_graceful=False)
        if spec == fourth:
            raise KeyboardInterrupt

    observer = Recorder(lose_node)
    with Cluster(folder, nodes.address) as cluster:
        assert set(cluster.run(specs[:3], digits, observer, Limits())) == {second.id}
    with pytest.raises(KeyboardInterrupt), Cluster(folder, nodes.address) as cluster:
        cluster.run([fourth], digits, observer, Limits())

    lost_once, diverged = sorted(observer.warnings, key=lambda text: "diverged" in text)
    assert re.match(rf"{first.id} was lost on \S+ \(.+\) and is tried once more", lost_once)
    assert re.match(rf"{second.id} failed and is left out: the loss .* Lower --train.learning-rate", diverged)
    for spec in (first, third):
        assert damage(folder.member(spec), spec, digits.digest()) is None
    assert not folder.member(fourth).exists()
    end = time.monotonic() + 30
    while tasks_of(fourth.id) and time.monotonic() < end:
        time.sleep(0.05)
    assert not tasks_of(fourth.id)

    member = read_member(folder.member(first), first, digits.digest())
    survivor = next(iter(nodes.worker_nodes)).node_id[:8]
    assert member.environment["node"].endswith(f"Ray node {survivor}")
    with deterministic():
        expected, _ = train_member(first, digits, tmp_path / "here", {}, lambda _: None)
    np.testing.assert_array_equal(member.test_probabilities, expected.test_probabilities)
    assert member.fingerprints == expected.fingerprints


def test_a_task_keeps_its_core_while_it_waits_for_its_reports(nodes):
    """Ray lends the core of a task that waits in `ray.get` to the next task, and nobody gives it back."""
    import ray

    class SlowMailbox(Mailbox):
        def put(self, member, report):
            time.sleep(6)  # in which another process could start

    @ray.remote(num_cpus=1)
    def reports(mailbox):
        begin = time.time()
        reporter = Reporter(mailbox, "relu-s0-f0")
        reporter(Started("n", "here", {}))
        reporter.wait()
        return begin, time.time()

    connect(nodes.address)
    try:
        mailbox = ray.remote(num_cpus=0)(SlowMailbox).remote()
        spans = ray.get([reports.remote(mailbox) for _ in range(len(nodes.worker_nodes) + 1)], timeout=60)
    finally:
        disconnect()
    assert all(end - begin >= 6 for begin, end in spans)
    at_once = [sum(begin <= moment < end for begin, end in spans) for moment, _ in spans]
    assert max(at_once) <= len(nodes.worker_nodes)  # of one core each


def test_other_versions_on_a_node_are_told_before_any_work(nodes, spec, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "installed_version", lambda package: "9.9")  # here, but not on the nodes
    observer = Recorder()
    with (
        Cluster(RunFolder(tmp_path), nodes.address) as cluster,
        pytest.raises(RunError, match=r"the node \S+ has keras [\d.]+ \(here 9\.9\), tensorflow .*same versions"),
    ):
        cluster.run([spec], digits, observer, Limits())


def test_a_killed_process_is_replaced_and_when_the_head_is_lost_what_was_committed_stays(nodes, tiny, digits, tmp_path):
    config = changed(tiny, arms=("relu",), seeds=3, epochs=EPOCHS)
    first, second, third = member_specs(config)
    third = changed(third, epochs=WITHOUT_END)
    folder, killed = RunFolder(tmp_path), []

    def kill(spec, progress):
        if spec == first and progress.record and not killed:
            killed.extend(tasks_of(first.id))
            os.kill(killed[0], signal.SIGKILL)
        if spec == third and killed and observer.ids and nodes.head_node.any_processes_alive():
            nodes.head_node.kill_all_processes(check_alive=False, allow_graceful=False)

    observer = Recorder(kill)
    with (
        Cluster(folder, nodes.address) as cluster,
        pytest.raises(RunError, match=r"the head of the Ray cluster is lost.*\n.*rerun the same command"),
    ):
        cluster.run([first, second, third], digits, observer, Limits())
    assert f"{first.id} was lost on " in observer.warnings[0]
    assert second.id in observer.ids
    assert damage(folder.member(second), second, digits.digest()) is None


def test_the_command_trains_on_a_ray_of_its_own_to_the_bits_of_the_worker_processes(finished, csv_source, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: python -m pip install -r requirements-cluster.txt")
    done = run(tmp_path, csv_source, "out", "--engine", "ray")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "  relu-s0-f0 epoch 6/6 " in done.stdout
    assert (tmp_path / "out/submission.csv").read_bytes() == (finished[0] / "submission.csv").read_bytes()
    assert '"node": "' in (tmp_path / "out/environment.json").read_text()
    again = run(tmp_path, csv_source, "out")  # the engine is a label: nothing is trained again
    assert "2 of 2 members are finished already" in again.stdout


@pytest.mark.parametrize(("address", "reason"), [
    ("ray://127.0.0.1:9", "nothing answers there"), ("127.0.0.1:port", "nothing answers there"),
    ("nonsense", "Invalid address format"),
])  # fmt: skip
def test_no_cluster_at_the_address(spec, digits, tmp_path, address, reason):
    pytest.importorskip("ray", reason="Ray is not installed: python -m pip install -r requirements-cluster.txt")
    with (
        Cluster(RunFolder(tmp_path), address) as cluster,
        pytest.raises(RunError, match=f"(?s)cannot connect to the Ray cluster at {address}: {reason}.*docs/cluster.md"),
    ):
        cluster.run([spec], digits, Recorder(), Limits())


def test_without_ray_the_error_names_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"python -m pip install -r requirements-cluster\.txt"):
        Cluster(RunFolder(tmp_path), None)


def test_nothing_of_ray_is_imported_before_it_is_needed(tmp_path):
    code = "import sys; import pipeline.training.cluster; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_nothing_to_do(digits, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: python -m pip install -r requirements-cluster.txt")
    with Cluster(RunFolder(tmp_path), "ray://127.0.0.1:9") as cluster:
        assert cluster.run([], digits, Recorder(), Limits()) == {}


def test_a_head_may_be_silent_for_a_while(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        head = Head(f"127.0.0.1:{server.getsockname()[1]}")
        head.check()
    head.check()
    monkeypatch.setattr(ray_connection, "HEAD_PATIENCE", 0)
    with pytest.raises(ConnectionError, match="nothing answers at 127.0.0.1"):
        head.check()
