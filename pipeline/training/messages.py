"""What a worker process tells its parent."""

from dataclasses import dataclass

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
class OutOfMemory:
    """The worker ends, because there is no memory left."""

    reason: str
    of_device: bool
    """Whether it is the memory of its GPU or TPU; else it is that of the machine."""


@dataclass(frozen=True)
class Broken:
    """The worker ends on an error that says nothing of the others."""

    reason: str


@dataclass(frozen=True)
class Unwritable:
    """The worker ends, because it cannot write; nor could any other."""

    reason: str


Message = Ready | Progress | Committed | Diverged | OutOfMemory | Broken | Unwritable
