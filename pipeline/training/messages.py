"""What a worker process says to its parent. Light, as each process loads it."""

from dataclasses import dataclass
from typing import Literal

from pipeline.device.accelerator import Device


@dataclass(frozen=True)
class Ready:
    """The worker has loaded its libraries and waits for the data."""

    capacity: int
    """How many workers the machine has room for."""
    device: Device
    """What it computes on."""


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
    short_of: Literal["", "disk", "memory"] = ""
    """What there was none left of, for others either."""


Message = Ready | Progress | Committed | Diverged | Ended
