"""What happens on the nodes of a cluster: members are trained there, and their files go back to the driver.

A node's process trains member after member and compiles once, as a worker process here does. On GPUs Ray starts a
process for each member instead, because TensorFlow keeps the GPU that it saw first.
"""

import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.config.schema import MemberSpec
from pipeline.data.digits import Digits
from pipeline.device.host import installed_version
from pipeline.records.members import commit
from pipeline.training.messages import Diverged, Progress, Reporter, Started


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
class Trained:
    """A member is finished."""

    files: dict[str, bytes]
    """The files of its folder, by name."""


def train_on_node(spec: MemberSpec, job: Job, mailbox: Any) -> Trained | Diverged:
    """Train a member in this process, from its last checkpoint if this node has one; its reports arrive before.

    Args:
        spec: The member.
        job: What it shares with the others.
        mailbox: Ray's handle of the `Mailbox`.
    """
    import ray

    node, report = ray.get_runtime_context().get_node_id(), Reporter(mailbox, spec.id)
    report(Started(node, platform.node(), {package: installed_version(package) for package in job.packages}))
    report.wait()  # whatever becomes of this process, the driver knows where it was
    _configure_process()
    result = train_and_pack(spec, job, f"{platform.node()}, Ray node {node[:8]}", report)
    report.wait()
    return result


def train_and_pack(spec: MemberSpec, job: Job, node: str, watch: Callable[[Progress], None]) -> Trained | Diverged:
    """Train a member alone in its folder of checkpoints, which is gone when there is nothing left to resume.

    Args:
        spec: The member.
        job: What it shares with the others.
        node: Where this is, for its record.
        watch: See `train_member`.
    """
    # Imported late: it loads TensorFlow, which the driver never does.
    from pipeline.training.loop import DivergedError, train_member

    checkpoints = Path(tempfile.gettempdir()) / job.checkpoints / spec.id
    checkpoints.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(checkpoints / ".lock"),  # a killed attempt may live on briefly
        tempfile.TemporaryDirectory() as folder,
    ):
        try:
            member, network = train_member(spec, job.digits, checkpoints, _trainers(job.data_digest), watch)
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
