"""Waiting for Kaggle: what to do while it is busy or gives no answer, and until what we look for is there."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle.refusals import PassingError

T = TypeVar("T")

RETRY_PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each new try of a request
LONGEST_WAIT = 300.0  # seconds; if Kaggle asks for more, the user decides
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two looks
LONGEST_BUSY = 600.0  # seconds; if Kaggle asks for more, it is asked after these
MOST_FAILURES = 20  # looks in a row without an answer, before we give up: some ten minutes
ARRIVAL_DELAYS = (1, 3, 9)  # seconds before each look for what may have arrived


def patiently(send: Callable[[], T]) -> T:
    """What `send` returns: a request that may happen twice, tried again where a failure may pass, unless that is long.

    Raises:
        PassingError: it failed each time, or Kaggle asks to wait for long.
    """
    for pause in RETRY_PAUSES:
        try:
            return send()
        except PassingError as error:
            if error.seconds > LONGEST_WAIT:
                raise
            seconds = max(pause, error.seconds)
            print(f"{error} Next try in {seconds:.0f} s", file=sys.stderr, flush=True)
            time.sleep(seconds)
    return send()


def looks(look: Callable[[], T]) -> Iterator[T]:
    """What `look` finds, again and again, at growing intervals; failures that may pass are printed and waited for.

    Raises:
        PassingError: of many looks in a row, the last.
    """
    pause, failures = FIRST_PAUSE, 0
    while True:
        asked_for = 0.0
        try:
            found = look()
        except PassingError as error:
            failures += 1
            if failures == MOST_FAILURES:
                raise
            asked_for = min(error.seconds, LONGEST_BUSY)
            print(error, flush=True)
        else:
            failures = 0
            yield found
        time.sleep(max(pause, asked_for))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def arrived(look: Callable[[], T | None]) -> T | None:
    """What `look` finds within some seconds; None if nothing turns up."""
    for seconds in ARRIVAL_DELAYS:
        time.sleep(seconds)
        if (found := look()) is not None:
            return found
    return None


@contextmanager
def going_on(how: str) -> Iterator[None]:
    """Say how to go on, whatever ends the block before its end."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{error} {how}") from None
    except RunError as error:
        raise RunError(f"{error} {how}") from None
    except (KeyboardInterrupt, OSError):
        print(f"\n{how}", flush=True)
        raise
