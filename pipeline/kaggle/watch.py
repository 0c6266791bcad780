"""Follow a pushed kernel to its end: its status and its log."""

import json
import time
from contextlib import suppress

from pipeline.config.errors import RunError, UserError
from pipeline.config.text import last_lines, printable
from pipeline.kaggle.calls import kernel_output, kernel_status
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.pushes import FETCH, Push
from pipeline.kaggle.refusals import RefusedError
from pipeline.kaggle.waiting import going_on, looks

START = 180.0  # seconds after a push in which Kaggle may not know the kernel, or speak of the version before
LOG_TAIL = 30  # lines of a failed kernel's log that are shown

KNOWN = ("QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")
FAILED = ("ERROR", "CANCEL_ACKNOWLEDGED")
NOT_YET, NOT_OURS = "not known to Kaggle yet", "not started; Kaggle still speaks of the version before"


class KernelFailedError(RunError):
    """The kernel has ended, but not well."""

    def __init__(self, message: str, status: str) -> None:
        super().__init__(message)
        self.status = status


def watch(kaggle: Kaggle, pushed: Push) -> None:
    """Follow a kernel, printing its status and its log, until it is complete.

    Whatever else ends the watching leaves the kernel running, and says how to come back to it.

    Raises:
        KernelFailedError: the kernel failed or was cancelled.
        UserError: there is no such kernel, or the credentials are no longer valid.
        RunError: Kaggle gave no answer for long.
        KeyboardInterrupt: as always.
    """
    shown, last = 0, ""
    settled = time.monotonic() + START - min(pushed.age, START)
    with going_on(f"The kernel goes on: {pushed.url}. To follow it again: {FETCH}"):
        for status, reason in looks(lambda: _status(kaggle, pushed, early=time.monotonic() < settled)):
            if status != last:
                new = "" if status in (*KNOWN, NOT_YET, NOT_OURS) else ", which is new to this program; following on"
                print(printable(f"{pushed.kernel}: {status}{new}"), flush=True)
                last = status
            if status in ("RUNNING", "COMPLETE"):
                shown = _show_log(kaggle, pushed.kernel, shown)
            if status in ("COMPLETE", *FAILED):
                ended = status, reason
                break
    if ended[0] in FAILED:
        raise _failure(kaggle, pushed, *ended)


def _status(kaggle: Kaggle, pushed: Push, *, early: bool) -> tuple[str, str]:
    """As `kernel_status`, but `early`, soon after a push, not that of the version before."""
    try:
        status, reason = kernel_status(kaggle, pushed.kernel)
        if early and status in ("COMPLETE", *FAILED):
            log = log_text(kernel_output(kaggle, pushed.kernel)[1])
            return (status, reason) if pushed.mark in log else (NOT_OURS, "")
    except RefusedError as error:
        if early and error.status in (403, 404):
            return NOT_YET, ""
        raise
    return status, reason


def _show_log(kaggle: Kaggle, kernel: str, shown: int) -> int:
    """Print a kernel's log from event `shown` on, as long as it flows; returns how many events are shown then."""
    count = 0
    with suppress(UserError, RunError):  # the status says how the kernel does, and the stream is tried again
        for count, text in enumerate(kaggle.log_events(kernel), 1):  # each stream begins at the log's beginning
            if count > shown:
                print(printable(text), end="" if text.endswith("\n") else "\n", flush=True)
    return max(shown, count)


def _failure(kaggle: Kaggle, pushed: Push, status: str, reason: str) -> KernelFailedError:
    """A kernel's end as an error that ends with the end of its log."""
    try:
        tail = last_lines(log_text(kernel_output(kaggle, pushed.kernel)[1]), LOG_TAIL)
    except (UserError, RunError) as error:
        tail = f"(the log could not be read: {error})"
    what = "failed" if status == "ERROR" else "was cancelled: by hand, or at Kaggle's time limit"
    return KernelFailedError(
        f"the kernel {pushed.kernel} {what}{f' ({reason})' if reason else ''}. What it wrote until then is at "
        f"{pushed.url}. The end of its log:\n{tail}",
        status,
    )


def log_text(log: str) -> str:
    """The text of a stored log, which is a JSON list of events, or text."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        return "".join(str(event.get("data", "")) for event in json.loads(log))
    return log
