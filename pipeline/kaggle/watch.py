"""Follow a pushed kernel to its end: its status and its log."""

import json
import time
from contextlib import suppress

from pipeline.config.errors import RunError, UserError
from pipeline.config.text import printable
from pipeline.kaggle.calls import kernel_output, kernel_status
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.pushes import Push, fetch_command
from pipeline.kaggle.refusals import RefusedError
from pipeline.kaggle.waiting import going_on, looks
from pipeline.records.run_folder import RunFolder

START = 180.0  # seconds after a push in which Kaggle may not know the kernel, or speak of the version before

KNOWN = ("QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")
FAILED = ("ERROR", "CANCEL_ACKNOWLEDGED")
NOT_YET, NOT_OURS = "not known to Kaggle yet", "not started; Kaggle still speaks of the version before"


def watch(kaggle: Kaggle, pushed: Push, folder: RunFolder) -> tuple[str, str]:
    """Follow a kernel, printing its status and its log, to its end; its last status, and Kaggle's reason for a failure.

    Whatever else ends the watching leaves the kernel running, and says how to come back to it.

    Raises:
        UserError: there is no such kernel, or the credentials are no longer valid.
        RunError: Kaggle gave no answer for long.
        KeyboardInterrupt: as always.
    """
    shown, last = 0, ""
    settled = time.monotonic() + START - min(pushed.age, START)
    with going_on(f"The kernel goes on: {pushed.url}. To follow it again: {fetch_command(folder)}"):
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
    return ended


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


def log_text(log: str) -> str:
    """The text of a stored log, which is a JSON list of events, or text."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        return "".join(str(event.get("data", "")) for event in json.loads(log))
    return log
