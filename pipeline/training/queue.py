"""Which member is trained next; what is tried again, and what is given up."""

from collections import Counter, deque
from collections.abc import Callable, Sequence

from pipeline.config.schema import MemberSpec
from pipeline.training.engine import Observer
from pipeline.training.limits import Limits

ATTEMPTS = 2


class MemberQueue:
    """The members that wait for a worker.

    Args:
        specs: The members, in the order to start them.
        limits: When training has to end.
        epochs_done: How many epochs of a member its checkpoints hold.
        observer: Is warned of each member that is given up.
    """

    def __init__(
        self,
        specs: Sequence[MemberSpec],
        limits: Limits,
        epochs_done: Callable[[MemberSpec], int],
        observer: Observer,
    ) -> None:
        self._waiting = deque(specs)
        self._limits = limits
        self._epochs_done = epochs_done
        self._observer = observer
        self._deaths = Counter[MemberSpec]()
        self.failed: dict[str, str] = {}
        """Ids of the members that were given up, each with the reason."""

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> MemberSpec | None:
        """Take the next member that would end in time; None if there is none."""
        for spec in self._waiting:
            if self._limits.allow(spec, self._epochs_done(spec)):
                self._waiting.remove(spec)
                return spec
        return None

    def try_again(self, spec: MemberSpec, *, counts: bool) -> bool:
        """Have a member that died with its worker wait once more, unless that was its last attempt; whether it does."""
        self._deaths[spec] += counts
        if self._deaths[spec] == ATTEMPTS:
            return False
        self._waiting.append(spec)
        return True

    def give_up(self, spec: MemberSpec, reason: str) -> None:
        """Leave a member out."""
        self.failed[spec.id] = reason
        self._observer.warn(f"{spec.id} failed and is left out: {reason}")

    def give_up_all(self, reason: str) -> None:
        """Leave out all that wait."""
        self.failed |= {spec.id: reason for spec in self._waiting}
        self._waiting.clear()
        self._observer.warn(reason)
