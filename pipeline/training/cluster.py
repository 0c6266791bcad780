"""Many members on the nodes of a Ray cluster: one task for each, and Ray decides where it runs.

The digits go to the cluster once. A node returns a member's files, which are checked and committed here. What becomes
of a member whose task fails:

- Its process or its node died, or its files did not arrive whole: it is tried once more, elsewhere if possible.
- It diverged: it is given up, as it would diverge again.
- It could not write for the second time: the run fails, because that is not the member's fault. So it does if a node
  has other versions than this machine, or lacks packages.
"""

import hashlib
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec
from pipeline.config.text import named
from pipeline.data.digits import Digits
from pipeline.device.settings import settings_warning, training_environment
from pipeline.records.members import commit_files
from pipeline.records.readers import DamagedError
from pipeline.records.run_folder import RunFolder
from pipeline.training.engine import Observer, other_versions
from pipeline.training.limits import Limits
from pipeline.training.messages import Diverged, Mailbox, Progress, Report, Started
from pipeline.training.nodes import Job, Trained, train_on_node
from pipeline.training.process import Pulse, silent
from pipeline.training.queue import ATTEMPTS
from pipeline.training.ray_connection import (
    HEAD_PATIENCE,
    Connection,
    has_room,
    living_nodes,
    loss_of_head_named,
    member_needs,
    require_ray,
)

POLL = 0.5  # seconds between two looks at the nodes' reports
NODE_PATIENCE = 120.0  # seconds until the head has started its first process
RAY_LOGS = "/tmp/ray/session_latest/logs there"
SAME_VERSIONS = "Install the same on all nodes, for example with the output of `python -m pip freeze` here."
PREPARE_NODE = (
    "Install requirements.txt and requirements-cluster.txt there, and start its Ray from that environment. "
    + SAME_VERSIONS
)


class Cluster:
    """The nodes of a Ray cluster. Use as a context manager: the tasks are cancelled on exit.

    Args:
        folder: The run's folder.
        address: Where the cluster is; see `Connection`.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(self, folder: RunFolder, address: str | None) -> None:
        require_ray()
        self._folder = folder
        self._address = address
        self._connection: Connection | None = None

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection:
            import ray

            ray.shutdown()

    def run(self, specs: Sequence[MemberSpec], digits: Digits, observer: Observer, limits: Limits) -> dict[str, str]:
        """Train members; see `Engine.run`.

        Raises:
            RunError: there is no such cluster, a node cannot train, or the head is lost.
        """
        if not specs:
            return {}
        self._connection = Connection(self._address)
        with loss_of_head_named():
            training = _Training(self._folder, digits, observer, limits)
            for spec in specs:
                training.submit(spec)
            while training.tasks and not limits.over:
                self._connection.check()
                training.follow()
        return training.failed


@dataclass
class _Task:
    """A member's task, from its submission on."""

    spec: MemberSpec
    avoided: str | None
    """Id of a node where it must not run."""
    node: str | None = None
    """Id of the node where it runs; None while it waits."""
    host: str = "an unknown node"
    pulse: Pulse = field(default_factory=Pulse)


class _Training:
    """The tasks of one call of `Cluster.run`.

    Args:
        folder: The run's folder.
        digits: The data.
        observer: Follows how each member does.
        limits: When to end.
    """

    def __init__(self, folder: RunFolder, digits: Digits, observer: Observer, limits: Limits) -> None:
        import ray

        self.tasks: dict[Any, _Task] = {}
        self.failed: dict[str, str] = {}
        self._folder, self._observer, self._limits = folder, observer, limits
        self._attempts = Counter[str]()
        self._needs = member_needs(living_nodes())
        if warning := settings_warning():
            observer.warn(warning)
        self._warn_if_nowhere()
        self._train = ray.remote(**self._needs, max_retries=0)(train_on_node)  # retried here, where it is said
        # On the head: if that is lost, so is the run.
        on_head = {"node:__internal_head__": 0.001}
        self._mailbox = ray.remote(num_cpus=0, resources=on_head)(Mailbox).remote()
        ray.get(self._mailbox.take.remote(), timeout=NODE_PATIENCE)
        self._data_digest = digits.digest()
        packages = ("keras", training_environment()["KERAS_BACKEND"])
        self._job = ray.put(Job(digits, self._data_digest, _checkpoints_name(folder), packages))

    def submit(self, spec: MemberSpec, avoided: str | None = None) -> None:
        """Have a member trained by whichever node is free first, but for one to be avoided."""
        place = {"label_selector": {"ray.io/node-id": f"!{avoided}"}} if avoided else {}
        task = self._train.options(name=spec.id, **place).remote(spec, self._job, self._mailbox)
        self.tasks[task] = _Task(spec, avoided)

    def follow(self) -> None:
        """Wait for a moment, pass on what the nodes report, and commit what is finished."""
        import ray

        ready, _ = ray.wait(list(self.tasks), timeout=POLL)
        reports = ray.get(self._mailbox.take.remote(), timeout=HEAD_PATIENCE)  # first: it fails if the head is lost
        for ref in [ref for ref, task in self.tasks.items() if task.node is None and ref not in ready]:
            self._review_waiting(ref, self.tasks[ref])
        self._pass_on(reports)
        for ref in ready:
            self._end(ref, self.tasks.pop(ref))
        for task in self.tasks.values():
            if task.node and task.pulse.stops():
                self._observer.warn(silent(task.spec, f"the node {task.host}", RAY_LOGS))

    def _pass_on(self, reports: Sequence[tuple[str, Report]]) -> None:
        tasks = {task.spec.id: task for task in self.tasks.values()}
        for member, report in reports:
            if member not in tasks:
                continue  # the last words of an attempt that was lost
            task = tasks[member]
            task.pulse.beat()
            match report:
                case Started(node, host, versions):
                    if differences := other_versions(versions):
                        words = f"the node {host} has {differences}: its networks would have other bits"
                        raise RunError(f"{words}. {SAME_VERSIONS}")
                    task.node, task.host = node, host
                case Progress():
                    if report.device and report.device.kind == "cpu" and "num_gpus" in self._needs:
                        words = f"the node {task.host} has a GPU for {member} but computes on {report.device}"
                        self._observer.warn(f"{words}: its CUDA libraries did not load. See {RAY_LOGS}")
                    if report.record:
                        self._limits.measure(task.spec, report.record["seconds"])
                    self._observer.watch(task.spec, report)

    def _end(self, ref: Any, task: _Task) -> None:
        """Commit a member, or have it tried again or give it up."""
        import ray

        spec = task.spec
        try:
            match ray.get(ref):
                case Trained(files):
                    commit_files(self._folder.member(spec), files, spec, self._data_digest)
                    self._observer.finished(spec)
                case Diverged(reason):
                    self._give_up(spec, reason)
        except DamagedError as error:
            self._retry(task, str(error), error)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ImportError) or "failed to import" in str(error.cause):
                raise RunError(
                    f"the node {error.ip} cannot run this package: {named(error.cause)}\n{PREPARE_NODE}"
                ) from error
            self._retry(task, named(error.cause), error.cause)
        except ray.exceptions.RayError as error:
            self._retry(task, named(error), error)

    def _retry(self, task: _Task, reason: str, cause: BaseException) -> None:
        self._attempts[task.spec.id] += 1
        reason = f"lost on {task.host} ({reason})"
        if self._attempts[task.spec.id] < ATTEMPTS:
            self._observer.warn(f"{task.spec.id} was {reason} and is tried once more")
            self.submit(task.spec, task.node if self._others(task.node) else None)
            self._warn_if_nowhere()
        elif isinstance(cause, RunError):
            raise cause
        else:
            self._give_up(task.spec, f"{reason}, the second time")

    def _give_up(self, spec: MemberSpec, reason: str) -> None:
        self.failed[spec.id] = reason
        self._observer.warn(f"{spec.id} failed and is left out: {reason}")

    def _review_waiting(self, ref: Any, task: _Task) -> None:
        """Take back a member that would not end in time, and let one run anywhere if no other node is left for it."""
        import ray

        in_time = self._limits.allow(task.spec, 0)
        if in_time and (task.avoided is None or self._others(task.avoided)):
            return
        ray.cancel(ref, force=True)
        del self.tasks[ref]
        if in_time:
            self.submit(task.spec)

    def _warn_if_nowhere(self) -> None:
        if not self._others(None):
            self._observer.warn("no node of the cluster has room for a network; waiting for one")

    def _others(self, node: str | None) -> bool:
        """Whether a node other than that could train a member."""
        return any(other["NodeID"] != node and has_room(other, self._needs) for other in living_nodes())


def _checkpoints_name(folder: RunFolder) -> str:
    """One name per run's folder, on whichever machine it is: there it finds its checkpoints again."""
    place = f"{platform.node()}:{folder.path.resolve()}"
    return f"pipeline-checkpoints/{hashlib.sha256(place.encode()).hexdigest()[:16]}"
