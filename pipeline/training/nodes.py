"""What happens on the nodes of a cluster: members are trained there, and their files go back to the driver.

A node's process trains member after member and compiles once, as a worker process here does. On GPUs Ray starts a
process for each member instead, because TensorFlow keeps the GPU that it saw first.
"""

import os
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
from pipeline.training.messages import Diverged, Progress


@dataclass(frozen=True)
class Started:
    """A node begins with a member."""

    host: str
    versions: dict[str, str]
    """By package."""


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


def train_on_node(spec: MemberSpec, digits: Digits, run: str, mailbox: Any) -> dict[str, bytes] | Diverged:
    """Train a member in this process, from its last checkpoint if this node has one; its reports arrive before.

    The run names its folder of checkpoints; the mailbox is Ray's handle of the `Mailbox`.

    Returns:
        The files of the member's folder, by name; or why there are none.
    """
    import ray

    last: Any = None

    def report(content: Report) -> None:
        nonlocal last
        last = mailbox.put.remote(spec.id, content)

    packages = ("keras", os.environ["KERAS_BACKEND"])
    report(Started(platform.node(), {package: installed_version(package) for package in packages}))
    _configure_process()
    checkpoints = Path(tempfile.gettempdir(), "pipeline-checkpoints", run, spec.id)
    node = f"{platform.node()}, Ray node {ray.get_runtime_context().get_node_id()[:8]}"
    result = train_and_pack(spec, digits, checkpoints, node, report)
    last.future().result()  # `ray.get` would lend this task's core to another one, and nobody gives it back
    return result


def train_and_pack(
    spec: MemberSpec, digits: Digits, checkpoints: Path, node: str, watch: Callable[[Progress], None]
) -> dict[str, bytes] | Diverged:
    """Train a member alone in its folder of checkpoints, which is gone when there is nothing left to resume.

    The node is for its record; for `watch` see `train_member`.
    """
    # Imported late: it loads TensorFlow, which the driver never does.
    from pipeline.training.loop import DivergedError, train_member

    checkpoints.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(checkpoints / ".lock"),  # a killed attempt may live on briefly
        tempfile.TemporaryDirectory() as folder,
    ):
        data_digest = digits.digest()
        try:
            member, network = train_member(spec, digits, checkpoints, _trainers(data_digest), watch)
        except DivergedError as error:
            shutil.rmtree(checkpoints)  # it would diverge again
            return Diverged(str(error))
        finished = Path(folder) / spec.id
        there = replace(member, environment={**member.environment, "node": node})
        commit(finished, there, data_digest, network.save)
        shutil.rmtree(checkpoints)
        return {path.name: path.read_bytes() for path in finished.iterdir()}


@cache
def _configure_process() -> None:
    """Make this process compute on what Ray gave it, as a worker process here would; once."""
    from pipeline.device.accelerator import configure_device

    configure_device(0)


@cache
def _trainers(_data_digest: str) -> dict[Any, Any]:
    """The trainers that this process compiled for the data of that digest."""
    return {}
