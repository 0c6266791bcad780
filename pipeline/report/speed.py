"""How fast a run trains, and when it should end, from the epochs measured so far."""

from pipeline.training.messages import Progress

FIRST_MEASURED = 2  # an epoch; the first pays for compilation


class Speed:
    """The speed of the members in training.

    As many are taken to train at the same time as did so far, until none is left to replace one that is finished.

    Args:
        members: Members of the run that are not finished.
        epochs: Epochs of each.
    """

    def __init__(self, members: int, epochs: int) -> None:
        self._members, self._epochs = members, epochs
        self._together = 0
        self._done: dict[str, int] = {}  # epochs of each member
        self._seconds: dict[str, float] = {}  # of each member's latest epoch
        self._rates: dict[str, float] = {}  # images per second in it

    def take_in(self, member: str, progress: Progress, batch_size: int) -> None:
        """Learn from a report of a member's progress."""
        self._done[member] = progress.epoch - 1
        self._together = max(self._together, sum(done < self._epochs for done in self._done.values()))
        self._done[member] += progress.record is not None
        if progress.record and progress.epoch >= min(FIRST_MEASURED, self._epochs):
            self._seconds[member] = progress.record["seconds"]
            self._rates[member] = progress.steps * batch_size / progress.record["seconds"]

    @property
    def images_per_second(self) -> float | None:
        """Training images per second of all members that train at the same time; None before it can be known."""
        return sum(self._rates.values()) / len(self._rates) * self._together if self._rates else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all members are trained; None before it can be known."""
        if not self._seconds:
            return None
        epochs_left = self._members * self._epochs - sum(self._done.values())
        return epochs_left * sum(self._seconds.values()) / len(self._seconds) / self._together
