"""What happens on the nodes of a cluster: members are trained there, and their files go back to the driver.

A node's process trains member after member and compiles once, as a worker process here does. On GPUs Ray starts a
process for each member instead, because TensorFlow keeps the GPU that it saw first.
"""

import platform
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.config.schema import MemberSpec
from pipeline.data.digits import Digits
from pipeline.device.host import installed_version
from pipeline.records.members import commit
from pipeline.training.messages import Diverged, Progress


@dataclass(frozen=True)
class Job:
    """What all members of a run share on the nodes."""

    digits: Digits
    data_digest: str
    checkpoints: str
    """The run's folder of checkpoints, below each node's folder for temporary files."""
    packages: tuple[str, ...]
    """Of these, a node reports its versions."""


@dataclass(frozen=True)
class Started:
    """A member's training begins."""

    node: str
    """Ray's id of the node."""
    host: str
    versions: dict[str, str]
    """By package."""


@dataclass(frozen=True)
class Trained:
    """A member is finished."""

    files: dict[str, bytes]
    """The files of its folder, by name."""


Report = Started | Progress


class Mailbox:
    """The actor that keeps the nodes' reports until the driver takes them."""

    def __init__(self) -> None:
        self._reports: list[tuple[str, Report]] = []

    def put(self, member: str, report: Report) -> None:
        """Keep a report about the member of that id."""
        self._reports.append((member, report))

    def take(self) -> list[tuple[str, Report]]:
        """Hand out what came since the last call, oldest first."""
        reports, self._reports = self._reports, []
        return reports


class Reporter:
    """Sends one member's reports to the mailbox.

    Args:
        mailbox: Ray's handle of the `Mailbox`.
        member: The member's id.
    """

    def __init__(self, mailbox: Any, member: str) -> None:
        self._mailbox = mailbox
        self._member = member
        self._last: Any = None

    def __call__(self, report: Report) -> None:
        """Send a report, without waiting for its arrival."""
        self._last = self._mailbox.put.remote(self._member, report)

    def wait(self) -> None:
        """Wait until all reports have arrived; they travel in order.

        `ray.get` would lend this task's core to another task while it waits, and nobody gives it back.
        """
        self._last.future().result()


def installed_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The versions of packages on this machine."""
    return {package: installed_version(package) for package in packages}


def train_on_node(spec: MemberSpec, job: Job, mailbox: Any) -> Trained | Diverged:
    """Train a member in this process, from its last checkpoint if this node has one; its reports arrive before.

    Args:
        spec: The member.
        job: What it shares with the others.
        mailbox: Ray's handle of the `Mailbox`.
    """
    import ray

    node, report = ray.get_runtime_context().get_node_id(), Reporter(mailbox, spec.id)
    report(Started(node, platform.node(), installed_versions(job.packages)))
    report.wait()  # whatever becomes of this process, the driver knows where it was
    result = _train(spec, job, f"{platform.node()}, Ray node {node[:8]}", report)
    report.wait()
    return result


def _train(spec: MemberSpec, job: Job, node: str, report: Reporter) -> Trained | Diverged:
    # Imported late: it loads TensorFlow, which the driver never does.
    from pipeline.training.loop import DivergedError, train_member

    _configure_process()
    checkpoints = Path(tempfile.gettempdir()) / job.checkpoints / spec.id
    checkpoints.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(checkpoints / ".lock"),
        tempfile.TemporaryDirectory() as folder,
    ):  # a killed attempt may live on briefly
        try:
            member, network = train_member(spec, job.digits, checkpoints, _trainers(job.data_digest), report)
        except DivergedError as error:
            shutil.rmtree(checkpoints)  # it would diverge again
            return Diverged(str(error))
        finished = Path(folder) / spec.id
        there = replace(member, environment={**member.environment, "node": node})
        commit(finished, there, job.data_digest, network.save)
        shutil.rmtree(checkpoints)
        return Trained({path.name: path.read_bytes() for path in finished.iterdir()})


@cache
def _configure_process() -> None:
    """Make this process compute on what Ray gave it, as a worker process here would; once."""
    from pipeline.device.accelerator import configure_device

    configure_device(0)


@cache
def _trainers(_data_digest: str) -> dict[Any, Any]:
    """The trainers that this process compiled for the data of that digest."""
    return {}
