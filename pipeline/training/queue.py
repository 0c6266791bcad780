"""Which member is trained next, and on which device; what is tried again, and what is given up."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence

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
        self._died_on: dict[MemberSpec, list[int]] = defaultdict(list)
        self.failed: dict[str, str] = {}
        """Ids of the members that were given up, each with the reason."""

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, device: int, devices: Collection[int]) -> MemberSpec | None:
        """Take the next member for a device; None if there is none that it should train now.

        Args:
            device: The device that is free.
            devices: All that are in use. A member that died on one is for the others, if there are any.
        """
        for spec in self._waiting:
            unlucky = self._died_on[spec]
            if (device not in unlucky or set(devices) <= set(unlucky)) and self._limits.allow(
                spec, self._epochs_done(spec)
            ):
                self._waiting.remove(spec)
                return spec
        return None

    def put_back(self, spec: MemberSpec) -> None:
        """Have a member tried again that was interrupted by no fault of its own."""
        self._waiting.appendleft(spec)

    def try_again(self, spec: MemberSpec, device: int) -> bool:
        """Have a member tried again that died with its worker, unless it has been; whether it is."""
        self._died_on[spec].append(device)
        if len(self._died_on[spec]) == ATTEMPTS:
            return False
        self.put_back(spec)
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
