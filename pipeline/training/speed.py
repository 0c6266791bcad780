"""How fast a run trains, and when it should end, from the epochs measured so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.training.messages import Progress

FIRST_MEASURED = 2  # an epoch; the first pays for compilation


@dataclass
class Speed:
    """The epochs of the members in training.

    Members that train at the same time are taken to have the same length, and to be replaced until none is left.
    """

    members: int
    """Members of the run that are not finished."""
    epochs: int
    """Epochs of each."""
    _done: dict[str, int] = field(default_factory=dict)
    _rates: dict[str, float] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)

    def take_in(self, member: str, progress: Progress, batch_size: int) -> None:
        """Learn from the end of an epoch."""
        if not progress.record:
            return
        self._done[member] = progress.epoch
        if progress.epoch >= FIRST_MEASURED or self.epochs == 1:
            self._seconds[member] = progress.record["seconds"]
            self._rates[member] = progress.steps * batch_size / progress.record["seconds"]

    @property
    def images_per_second(self) -> float | None:
        """Training images per second of all members in training together; None before it can be known."""
        return self._mean(self._rates) * self._together if self._rates else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all members are trained; None before it can be known."""
        if not self._seconds or not self._together:
            return None
        left = self.members * self.epochs - sum(self._done.values())
        return left * self._mean(self._seconds) / self._together

    @property
    def _together(self) -> int:
        """How many members train at the same time."""
        return sum(done < self.epochs for done in self._done.values())

    def _mean(self, of_members: Mapping[str, float]) -> float:
        return sum(of_members.values()) / len(of_members)
