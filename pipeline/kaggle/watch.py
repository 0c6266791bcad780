"""Follow a pushed kernel to its end: its status and its log."""

import json
import time
from contextlib import suppress

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle.calls import kernel_output, kernel_status
from pipeline.kaggle.client import Kaggle, NoAnswerError
from pipeline.kaggle.push import FETCH, Push

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two looks at the status
MOST_FAILURES = 20  # looks in a row without an answer, before it is given up: some ten minutes
LOG_TAIL = 30  # lines of a failed kernel's log that are shown


def watch(kaggle: Kaggle, pushed: Push) -> None:
    """Follow a kernel, printing its status and its log, until it is complete.

    Raises:
        UserError: the kernel is not to be found.
        RunError: it failed or was cancelled, or Kaggle gave no answer for long.
    """
    shown, failures, last, pause = 0, 0, "", FIRST_PAUSE
    while True:
        try:
            status, reason = kernel_status(kaggle, pushed.kernel)
            failures = 0
        except NoAnswerError as error:
            failures += 1
            if failures == MOST_FAILURES:
                raise RunError(f"{error} The kernel goes on: {pushed.url}. To follow it again: {FETCH}") from None
            print(error, flush=True)
            status, reason = last, ""
        if status != last:
            print(f"{pushed.kernel}: {status}", flush=True)
            last, pause = status, FIRST_PAUSE
        if status == "COMPLETE":
            _show_log(kaggle, pushed.kernel, shown)
            return
        if status in ("ERROR", "CANCEL_ACKNOWLEDGED"):
            _raise_failure(kaggle, pushed, status, reason)
        if status == "RUNNING":
            shown = _show_log(kaggle, pushed.kernel, shown)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _show_log(kaggle: Kaggle, kernel: str, shown: int) -> int:
    """Print a kernel's log from event `shown` on, as long as it flows; returns how many events are shown then."""
    count = 0
    with suppress(UserError, RunError):  # the status tells how the kernel does; the stream is tried again
        for count, text in enumerate(kaggle.log_events(kernel), 1):  # each stream begins at the log's beginning
            if count > shown:
                print(text, end="" if text.endswith("\n") else "\n", flush=True)
    return max(shown, count)


def _raise_failure(kaggle: Kaggle, pushed: Push, status: str, reason: str) -> None:
    """Raise a RunError that ends with the end of the kernel's log."""
    try:
        tail = "".join(log_lines(kernel_output(kaggle, pushed.kernel)[1])[-LOG_TAIL:])
    except (UserError, RunError) as error:
        tail = f"(the log could not be read: {error})"
    what = "failed" if status == "ERROR" else "was cancelled: by hand, or at Kaggle's time limit"
    raise RunError(
        f"the kernel {pushed.kernel} {what}{f' ({reason})' if reason else ''}. What it wrote until then is at "
        f"{pushed.url}. The end of its log:\n{tail}"
    )


def log_lines(log: str) -> list[str]:
    """The lines of a stored log, which is a JSON list of events, or text."""
    with suppress(ValueError, TypeError, AttributeError):
        log = "".join(str(event.get("data", "")) for event in json.loads(log))
    return log.splitlines(keepends=True)
