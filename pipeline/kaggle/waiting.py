"""Waiting for Kaggle: looks at growing intervals, and last looks for what may have arrived without an answer."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two looks
LONGEST_BUSY = 600.0  # seconds; if Kaggle asks for more, it is asked after these
ARRIVAL_DELAYS = (1, 3, 9)  # seconds before each look for what may have arrived


class Pauses:
    """Pauses that grow from one to the next."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Look often again: something has changed."""
        self._seconds = FIRST_PAUSE

    def wait(self, asked_for: float | None = None) -> None:
        """Sleep until the next look, at least as long as Kaggle asked for."""
        time.sleep(max(self._seconds, min(asked_for or 0.0, LONGEST_BUSY)))
        self._seconds = min(self._seconds * 1.5, LONGEST_PAUSE)


def arrived(look: Callable[[], T | None]) -> T | None:
    """What `look` finds within some seconds; None if nothing turns up."""
    for seconds in ARRIVAL_DELAYS:
        time.sleep(seconds)
        if (found := look()) is not None:
            return found
    return None
