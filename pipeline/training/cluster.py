"""Many members on the nodes of a Ray cluster: one task for each, and Ray decides where it runs.

The digits go to the cluster once. A node returns a member's files, which are checked and committed here. What becomes
of a member whose task fails:

- Its process or its node was lost: Ray tries it once more. The second time it is left out.
- It diverged, or its files did not arrive whole: it is left out.
- Its node lacks packages, has other versions than this machine, or cannot write: the run fails.
"""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec
from pipeline.config.text import named
from pipeline.data.digits import Digits
from pipeline.device.settings import settings_warning
from pipeline.records.members import commit_files
from pipeline.records.readers import DamagedError
from pipeline.records.run_folder import RunFolder
from pipeline.training.engine import Observer, other_versions
from pipeline.training.limits import Limits
from pipeline.training.messages import Diverged, Progress
from pipeline.training.nodes import Mailbox, Report, Started, train_on_node
from pipeline.training.process import Pulse, silent
from pipeline.training.ray_connection import connect, loss_of_head_named, member_needs, require_ray

POLL = 0.5  # seconds between two looks at the nodes' reports
HEAD_PATIENCE = 20.0  # seconds without an answer; after 60, Ray ends this process by itself
NODE_PATIENCE = 120.0  # seconds until the head has started its first process
RAY_LOGS = "/tmp/ray/session_latest/logs there"
SAME_VERSIONS = "Install the same on all nodes, for example with the output of `python -m pip freeze` here."
PREPARE_NODE = (
    "Install requirements.txt and requirements-cluster.txt there, and start its Ray from that environment. "
    + SAME_VERSIONS
)


class Cluster:
    """The nodes of a Ray cluster at an address, see `connect`, train for the run in a folder.

    Use as a context manager: the tasks are cancelled on exit.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(self, folder: RunFolder, address: str | None) -> None:
        require_ray()
        self._folder, self._address = folder, address

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        ray.shutdown()

    def run(self, specs: Sequence[MemberSpec], digits: Digits, observer: Observer, limits: Limits) -> dict[str, str]:
        """Train members; see `Engine.run`.

        Raises:
            RunError: there is no such cluster, a node cannot train, or the head is lost.
        """
        if not specs:
            return {}
        connect(self._address)
        with loss_of_head_named():
            training = _Training(self._folder, specs, digits, observer, limits)
            while training.tasks and not limits.over:
                training.follow()
        return training.failed


@dataclass
class _Task:
    """A member's task, from its submission on."""

    spec: MemberSpec
    host: str = ""
    """Where it runs; empty while it waits."""
    pulse: Pulse = field(default_factory=Pulse)


class _Training:
    """The tasks of one call of `Cluster.run`. Each is carried out by whichever node is free first."""

    def __init__(
        self, folder: RunFolder, specs: Sequence[MemberSpec], digits: Digits, observer: Observer, limits: Limits
    ) -> None:
        import ray

        self.failed: dict[str, str] = {}
        self._folder, self._observer, self._limits = folder, observer, limits
        if warning := settings_warning():
            observer.warn(warning)
        if not ray.cluster_resources().get("CPU"):
            observer.warn("no node of the cluster has room for a network; waiting for one")
        # On the head: if that is lost, so is the run.
        on_head = {"node:__internal_head__": 0.001}
        self._mailbox = ray.remote(num_cpus=0, resources=on_head)(Mailbox).remote()
        ray.get(self._mailbox.take.remote(), timeout=NODE_PATIENCE)
        needs = member_needs(ray.nodes())
        self._on_gpus = "num_gpus" in needs
        self._data_digest = digits.digest()
        train, data = ray.remote(**needs, max_retries=1)(train_on_node), ray.put(digits)
        self.tasks: dict[Any, _Task] = {
            train.options(name=spec.id).remote(spec, data, _name_of(folder), self._mailbox): _Task(spec)
            for spec in specs
        }

    def follow(self) -> None:
        """Wait for a moment, pass on what the nodes report, and commit what is finished."""
        import ray

        ready, _ = ray.wait(list(self.tasks), timeout=POLL)
        # First: it fails if the head is lost.
        self._pass_on(ray.get(self._mailbox.take.remote(), timeout=HEAD_PATIENCE))
        for ref in ready:
            self._end(ref, self.tasks.pop(ref).spec)
        for ref, task in list(self.tasks.items()):
            if not task.host and not self._limits.allow(task.spec, 0):
                ray.cancel(ref, force=True)  # it would not end in time
                del self.tasks[ref]
            elif task.host and task.pulse.stops():
                self._observer.warn(silent(task.spec, f"the node {task.host}", RAY_LOGS))

    def _pass_on(self, reports: Sequence[tuple[str, Report]]) -> None:
        tasks = {task.spec.id: task for task in self.tasks.values()}
        for member, report in reports:
            if member not in tasks:
                continue  # the last words of an attempt that was lost
            task = tasks[member]
            task.pulse.beat()
            match report:
                case Started(host, versions):
                    if differences := other_versions(versions):
                        words = f"the node {host} has {differences}: its networks would have other bits"
                        raise RunError(f"{words}. {SAME_VERSIONS}")
                    if task.host:
                        self._observer.warn(f"{member} was lost on {task.host} and is tried once more, on {host}")
                    task.host = host
                case Progress():
                    if report.device and report.device.kind == "cpu" and self._on_gpus:
                        words = f"the node {task.host} has a GPU for {member} but computes on {report.device}"
                        self._observer.warn(f"{words}: its CUDA libraries did not load. See {RAY_LOGS}")
                    if report.record:
                        self._limits.measure(task.spec, report.record["seconds"])
                    self._observer.watch(task.spec, report)

    def _end(self, ref: Any, spec: MemberSpec) -> None:
        """Commit a member, or give it up."""
        import ray

        try:
            result = ray.get(ref)
            if isinstance(result, Diverged):
                self._give_up(spec, result.reason)
                return
            commit_files(self._folder.member(spec), result, spec, self._data_digest)
            self._observer.finished(spec)
        except DamagedError as error:
            self._give_up(spec, str(error))
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            lacks_packages = isinstance(cause, ImportError) or "failed to import" in str(cause)
            if lacks_packages or isinstance(cause, (OSError, RunError)):
                remedy = f"\n{PREPARE_NODE}" if lacks_packages else ""
                raise RunError(f"the node {error.ip} cannot train: {named(cause)}{remedy}") from error
            self._give_up(spec, named(cause))
        except ray.exceptions.RayError as error:
            self._give_up(spec, f"lost twice: {named(error)}")

    def _give_up(self, spec: MemberSpec, reason: str) -> None:
        self.failed[spec.id] = reason
        self._observer.failed(spec, reason)


def _name_of(folder: RunFolder) -> str:
    """One name per run's folder, on whichever machine it is: under it a node finds the run's checkpoints again."""
    place = f"{platform.node()}:{folder.path.resolve()}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]
