"""When training ends before all members are finished: the hours of a run, and a request to finish."""

import math
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean
from types import FrameType

from pipeline.config.schema import MemberSpec

SPARE = 1.1  # times the measured seconds, for the predictions after the last epoch and for slower epochs


class Limits:
    """The limits of a run's training: hours from now after which nothing is trained any more; None: no limit."""

    def __init__(self, hours: float | None = None) -> None:
        self._hours = hours
        self._end = math.inf if hours is None else time.monotonic() + 3600 * hours
        self.stopped = False
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def stop(self) -> None:
        """Ask for the end of the training."""
        self.stopped = True

    @property
    def seconds_left(self) -> float:
        """Seconds until the training has to end; 0 or less when it is over."""
        return 0 if self.stopped else self._end - time.monotonic()

    @property
    def over(self) -> bool:
        """Whether training has to end now; what is in flight stays at its last checkpoint."""
        return self.seconds_left <= 0

    def measure(self, spec: MemberSpec, seconds: float) -> None:
        """Take in how long an epoch of a member took."""
        self._seconds[spec.activation].append(seconds)

    def allow(self, spec: MemberSpec, epochs_done: int) -> bool:
        """Whether a member with that many epochs behind it would end in time; yes, as long as nothing is measured."""
        seconds = self._seconds_per_epoch(spec) * (spec.recipe.train.epochs - epochs_done) * SPARE
        return not self.over and seconds <= self.seconds_left

    def _seconds_per_epoch(self, spec: MemberSpec) -> float:
        """Mean of the latest member's worth of epochs, of its own activation if there are any, else of the slowest."""
        latest = {arm: mean(seconds[-spec.recipe.train.epochs :]) for arm, seconds in self._seconds.items()}
        return latest.get(spec.activation, max(latest.values(), default=0.0))

    @property
    def reason(self) -> str:
        """Why members may be missing, in words; empty if there is no limit."""
        if self.stopped:
            return "the run was asked to stop (SIGTERM)"
        return "" if self._hours is None else f"it would not have ended within the run's {self._hours:g} hours"


@contextmanager
def stopped_by_sigterm(limits: Limits) -> Iterator[None]:
    """Within the block, the first SIGTERM asks for the end of the training; a second one ends the process at once."""

    def request(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        limits.stop()

    before = signal.signal(signal.SIGTERM, request)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
