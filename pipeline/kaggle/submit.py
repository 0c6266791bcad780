"""Send a submission, once, and wait for its score.

A submission costs one of a few a day, so it is never sent a second time on a guess: its description carries a mark, and
after a failure Kaggle's list of submissions tells whether it arrived.
"""

import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import data_candidates
from pipeline.config.schema import digest
from pipeline.data.archives import find_archive
from pipeline.data.csv_files import read_csv
from pipeline.data.digits import TEST_IMAGES
from pipeline.ensemble.submission import SUBMISSION_COLUMNS, check_submission
from pipeline.kaggle.calls import (
    download_submission_of,
    latest_submissions,
    rank,
    submissions_left,
    submit_kernel_output,
    submit_upload,
)
from pipeline.kaggle.client import Kaggle, NoAnswerError
from pipeline.kaggle.submission_log import OPEN, Entry, read_log, record
from pipeline.records.atomic import file_sha256
from pipeline.records.run_folder import SUBMISSION, RunFolder

ARRIVAL_DELAYS = (1, 3, 9)  # seconds before each look for a submission that may have arrived
FIRST_PAUSE, LONGEST_PAUSE, PATIENCE = 1.0, 30.0, 1800.0  # seconds


def submit_file(kaggle: Kaggle, path: Path, message: str | None = None, *, again: bool = False) -> Entry:
    """Check a CSV, or a run's, send it, and wait for its score; prints each step.

    Args:
        kaggle: The account.
        path: A submission, or the folder of a run.
        message: Description at Kaggle; by default the run and its config's digest.
        again: Send it although it was sent before.

    Raises:
        UserError: the file is not valid, was sent before, or nothing more may be sent today.
        RunError: Kaggle failed, or could not score it.
    """
    submission = path / SUBMISSION if path.is_dir() else path
    if not submission.is_file():
        raise UserError(f"there is no {submission}. Name a CSV, or the folder of a finished run.")
    check_submission(submission, competition_ids())
    run = RunFolder(submission.parent)
    config = run.read_config(complete=False) if run.config.exists() else None
    entry = Entry(
        id=secrets.token_hex(4),
        time=_now(),
        source=str(submission),
        sha256=file_sha256(submission),
        run=str(submission.parent) if config else None,
        config_digest=digest(config) if config else None,
        message=message or (f"{config.name} {digest(config)[:8]}" if config else submission.stem),
    )
    return _submit(kaggle, entry, lambda description: submit_upload(kaggle, submission, description), again)


def submit_kernel(
    kaggle: Kaggle, kernel: str, version: int, message: str | None = None, *, again: bool = False
) -> Entry:
    """Check the submission that a kernel's version wrote, have Kaggle submit it, and wait for its score.

    Args:
        kaggle: The account.
        kernel: owner/slug.
        version: The kernel's version.
        message: Description at Kaggle; by default the kernel and version.
        again: Send it although it was sent before.

    Raises:
        UserError: the kernel has no valid submission, it was sent before, or nothing more may be sent today.
        RunError: Kaggle failed, or could not score it.
    """
    source = f"{kernel} version {version}"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / SUBMISSION
        download_submission_of(kaggle, kernel, version, output)
        check_submission(output, competition_ids())
        sha256 = file_sha256(output)
    entry = Entry(secrets.token_hex(4), _now(), source, sha256, None, None, message or source)
    return _submit(kaggle, entry, lambda description: submit_kernel_output(kaggle, kernel, version, description), again)


def competition_ids() -> Any:
    """The ids that a submission must have, in order: the local data's, or 1 to 28,000; int64, shape (m,)."""
    for folder in data_candidates():
        if folder.is_dir() and find_archive(folder, "sample_submission.csv"):
            table = read_csv(folder, "sample_submission.csv", SUBMISSION_COLUMNS, required=False)
            if table is not None:
                return table[:, 0]
    return np.arange(1, TEST_IMAGES + 1)


def _submit(kaggle: Kaggle, entry: Entry, send: Callable[[str], None], again: bool) -> Entry:
    """Send what `entry` describes, unless it was sent before; then wait."""
    if not again and (earlier := _sent_before(kaggle, entry)):
        print(f"already sent on {earlier.time}; waiting for its score", flush=True)
        return _wait(kaggle, earlier)
    _check_limit(kaggle)
    record(entry)
    try:
        send(_description(entry))
    except NoAnswerError as error:
        print(f"{error}\nlooking whether it arrived all the same", flush=True)
        if not _arrived(kaggle, entry):
            raise RunError(
                f"{error} The submission is not in Kaggle's list. Give the same command again: it looks once more "
                "before it sends anything."
            ) from None
    except (UserError, RunError):
        record(replace(entry, status="lost"))
        raise
    print(f"sent {entry.source} as {_description(entry)!r}", flush=True)
    return _wait(kaggle, record(replace(entry, status="pending")))


def _sent_before(kaggle: Kaggle, entry: Entry) -> Entry | None:
    """The entry of the same predictions that waits for its score at Kaggle; None if they never arrived there.

    Raises:
        UserError: they have their score already.
    """
    for earlier in reversed(read_log()):
        if earlier.sha256 != entry.sha256 or earlier.status == "lost":
            continue
        if earlier.status not in OPEN:
            outcome = f"scored {earlier.score}" if earlier.status == "complete" else f"failed: {earlier.error}"
            raise UserError(
                f"the same predictions were submitted on {earlier.time} ({earlier.source}) and {outcome}. "
                "To spend another submission on them, add --again."
            )
        if _find(kaggle, earlier):
            return earlier
        record(replace(earlier, status="lost"))
    return None


def _check_limit(kaggle: Kaggle) -> None:
    """Say how many submissions are left today; raise a UserError if there are none."""
    left, made = submissions_left(kaggle)
    if left < 1:
        now = datetime.now(UTC)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        raise UserError(
            f"no submission is left today ({made} were made). The next one is possible after midnight UTC, in "
            f"{(midnight - now).total_seconds() / 3600:.1f} hours. Nothing was sent."
        )
    print(f"submissions left today: {left}", flush=True)


def _arrived(kaggle: Kaggle, entry: Entry) -> bool:
    """Whether a submission turns up in Kaggle's list within some seconds."""
    for seconds in ARRIVAL_DELAYS:
        time.sleep(seconds)
        if _find(kaggle, entry):
            return True
    return False


def _wait(kaggle: Kaggle, entry: Entry) -> Entry:
    """Wait until a submission is scored; records and prints the outcome."""
    pause, end = FIRST_PAUSE, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = _find(kaggle, entry)
        status = found.status.name if found else "PENDING"
        if status == "COMPLETE" and found.public_score:
            entry = record(replace(entry, status="complete", score=float(found.public_score)))
            print(f"score: {found.public_score}; {_rank(kaggle)}", flush=True)
            return entry
        if status == "ERROR":
            reason = found.error_description or "no reason given"
            record(replace(entry, status="error", error=reason))
            raise RunError(f"Kaggle could not score {entry.source}: {reason}")
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    raise RunError(
        f"{entry.source} is sent, but has no score after {PATIENCE / 60:.0f} minutes. Give the same command again to "
        "go on waiting: it sends nothing."
    )


def _find(kaggle: Kaggle, entry: Entry) -> Any:
    """The submission at Kaggle that carries the entry's mark; None if there is none."""
    mark = f"[{entry.id}]"
    return next((s for s in latest_submissions(kaggle) if (s.description or "").endswith(mark)), None)


def _rank(kaggle: Kaggle) -> str:
    """The account's rank in words; the score counts without it, so a failure is told and not raised."""
    try:
        place, teams = rank(kaggle)
    except (UserError, RunError) as error:
        return f"the rank is not known ({error})"
    return f"your best is at rank {place:,} of {teams:,}" if place else "the leaderboard does not tell your rank"


def _description(entry: Entry) -> str:
    return f"{entry.message} [{entry.id}]"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
