"""What a worker process says to its parent, and a node of a cluster to the driver. Light, as each process loads it."""

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.device.accelerator import Device


@dataclass(frozen=True)
class Ready:
    """The worker has loaded its libraries and waits for the data."""

    capacity: int
    """How many workers the machine has room for."""
    device: Device
    """What it computes on."""

    @property
    def devices(self) -> int:
        """How many devices the workers share: the i-th computes on device i modulo this."""
        return self.device.count if self.device.kind == "gpu" else self.capacity


@dataclass(frozen=True)
class Progress:
    """How far the worker's member is."""

    epoch: int
    step: int
    """Steps done in this epoch."""
    steps: int
    """Steps of an epoch."""
    loss: float
    """Mean over the epoch so far."""
    accuracy: float
    """On the augmented training images of the epoch so far."""
    record: dict[str, float] | None = None
    """The epoch's entry in the history; only with the epoch's last report."""
    warning: str | None = None
    device: Device | None = None
    """What the member is trained on; only with its first report."""


@dataclass(frozen=True)
class Committed:
    """The worker's member is finished and in its folder."""


@dataclass(frozen=True)
class Diverged:
    """The worker's member cannot be trained; another try would end the same way."""

    reason: str


@dataclass(frozen=True)
class Ended:
    """The worker ends on an error."""

    reason: str
    short_of: Literal["", "disk", "memory", "memory of the device"] = ""
    """What there was none left of, for others either; memory of the machine, or of its GPU or TPU."""


Message = Ready | Progress | Committed | Diverged | Ended


@dataclass(frozen=True)
class Started:
    """A member's training begins."""

    node: str
    """Ray's id of the node."""
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
