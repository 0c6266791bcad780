"""Follow a pushed kernel to its end: its status and its log."""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle.calls import kernel_output, kernel_status
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.push import FETCH, Push
from pipeline.kaggle.refusals import BusyError, NoAnswerError, RefusedError

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two looks at the status
LONGEST_BUSY = 600.0  # seconds; if Kaggle asks for more, it is asked after these
MOST_FAILURES = 20  # looks in a row without an answer, before we give up: some ten minutes
START = 90.0  # seconds after a push in which Kaggle may not know the kernel yet
LOG_TAIL = 30  # lines of a failed kernel's log that are shown

KNOWN = ("QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")
FAILED = ("ERROR", "CANCEL_ACKNOWLEDGED")


class KernelFailedError(RunError):
    """The kernel has ended, but not well."""


def watch(kaggle: Kaggle, pushed: Push) -> None:
    """Follow a kernel, printing its status and its log, until it is complete.

    Whatever else ends the watching leaves the kernel running, and says how to come back to it.

    Raises:
        KernelFailedError: the kernel failed or was cancelled.
        UserError: there is no such kernel, or the credentials are no longer valid.
        RunError: Kaggle gave no answer for long.
        KeyboardInterrupt: as always.
    """
    goes_on = f"The kernel goes on: {pushed.url}. To follow it again: {FETCH}"
    try:
        _follow(kaggle, pushed)
    except KernelFailedError:
        raise
    except UserError as error:
        raise UserError(f"{error} {goes_on}") from None
    except RunError as error:
        raise RunError(f"{error} {goes_on}") from None
    except (KeyboardInterrupt, OSError):
        print(f"\n{goes_on}", flush=True)
        raise


def _follow(kaggle: Kaggle, pushed: Push) -> None:
    shown, failures, last, pause = 0, 0, "", FIRST_PAUSE
    while True:
        status, reason, wait = last, "", 0.0
        try:
            status, reason = kernel_status(kaggle, pushed.kernel)
            failures = 0
        except (NoAnswerError, BusyError) as error:
            failures += 1
            if failures == MOST_FAILURES:
                raise
            wait = min(getattr(error, "seconds", None) or 0.0, LONGEST_BUSY)
            print(error, flush=True)
        except RefusedError as error:
            if error.status not in (403, 404) or _age(pushed) > START:
                raise
            status = "not known to Kaggle yet"
        if status != last:
            new = "" if status in KNOWN or status.startswith("not") else ", which is new to this program; following on"
            print(f"{pushed.kernel}: {status}{new}", flush=True)
            last, pause = status, FIRST_PAUSE
        if status == "COMPLETE":
            _show_log(kaggle, pushed.kernel, shown)
            return
        if status in FAILED:
            raise _failure(kaggle, pushed, status, reason)
        if status == "RUNNING":
            shown = _show_log(kaggle, pushed.kernel, shown)
        time.sleep(max(pause, wait))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _age(pushed: Push) -> float:
    """Seconds since a push."""
    return (datetime.now(UTC) - datetime.fromisoformat(pushed.time)).total_seconds()


def _show_log(kaggle: Kaggle, kernel: str, shown: int) -> int:
    """Print a kernel's log from event `shown` on, as long as it flows; returns how many events are shown then."""
    count = 0
    with suppress(UserError, RunError):  # the status says how the kernel does, and the stream is tried again
        for count, text in enumerate(kaggle.log_events(kernel), 1):  # each stream begins at the log's beginning
            if count > shown:
                print(text, end="" if text.endswith("\n") else "\n", flush=True)
    return max(shown, count)


def _failure(kaggle: Kaggle, pushed: Push, status: str, reason: str) -> KernelFailedError:
    """A kernel's end as an error that ends with the end of its log."""
    try:
        tail = "".join(log_lines(kernel_output(kaggle, pushed.kernel)[1])[-LOG_TAIL:])
    except (UserError, RunError) as error:
        tail = f"(the log could not be read: {error})"
    what = "failed" if status == "ERROR" else "was cancelled: by hand, or at Kaggle's time limit"
    return KernelFailedError(
        f"the kernel {pushed.kernel} {what}{f' ({reason})' if reason else ''}. What it wrote until then is at "
        f"{pushed.url}. The end of its log:\n{tail}"
    )


def log_lines(log: str) -> list[str]:
    """The lines of a stored log, which is a JSON list of events, or text."""
    with suppress(ValueError, TypeError, AttributeError):
        log = "".join(str(event.get("data", "")) for event in json.loads(log))
    return log.splitlines(keepends=True)
