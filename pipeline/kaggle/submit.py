"""Send a submission, once.

A submission costs one of a few a day, so none is ever sent a second time on a guess: its description carries a mark of
the predictions and of the submission, and Kaggle's list of submissions tells whether it arrived.
"""

import hashlib
import secrets
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import data_candidates
from pipeline.config.schema import RunConfig, digest
from pipeline.config.text import printable
from pipeline.data.digits import TEST_IMAGES, read_image_count
from pipeline.data.submission_file import check_submission
from pipeline.ensemble.submission import keep_copy
from pipeline.kaggle.calls import (
    download_submission_of,
    submissions,
    submissions_left,
    submit_kernel_output,
    submit_upload,
)
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.refusals import NoAnswerError
from pipeline.kaggle.score import find_submission, wait_for_score
from pipeline.kaggle.submission_log import HASH_LENGTH, MARK, Entry, one_at_a_time, read_log, record
from pipeline.kaggle.waiting import arrived, going_on
from pipeline.records.atomic import file_sha256
from pipeline.records.run_folder import SUBMISSION, RunFolder
from pipeline.records.submission_record import read_submission_record


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
    content = check_submission(submission, competition_ids())
    sha256 = hashlib.sha256(content).hexdigest()
    folder = RunFolder(submission.parent)
    config = config_of(folder, sha256) if submission == folder.submission else None
    name = config.name if config else _name(submission)
    usual = f"{name} {digest(config)[:8]}" if config else name
    return _submit(
        kaggle,
        Entry(secrets.token_hex(4), _time(), printable(submission), sha256, printable(message or usual)),
        partial(submit_upload, kaggle, printable(submission.name), content),
        partial(keep_copy, content, name.removesuffix(f"-{sha256[:8]}")),  # a copy in submissions/ has it already
        _command([str(path)], message),
        again,
    )


def submit_kernel(
    kaggle: Kaggle, kernel: str, version: int, message: str | None = None, *, again: bool = False
) -> Entry:
    """Check the submission that a kernel's version wrote, have Kaggle submit it, and wait for its score.

    Args:
        kaggle: The account.
        kernel: owner/slug.
        version: The kernel's version.
        message: As of `submit_file`; by default the kernel and version.
        again: Send it although it was sent before.

    Raises:
        UserError: the kernel has no valid submission, it was sent before, or nothing more may be sent today.
        RunError: Kaggle failed, or could not score it.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / SUBMISSION
        download_submission_of(kaggle, kernel, version, output)
        content = check_submission(output, competition_ids())
    source, sha256 = f"{kernel} version {version}", hashlib.sha256(content).hexdigest()
    return _submit(
        kaggle,
        Entry(secrets.token_hex(4), _time(), source, sha256, printable(message or source)),
        partial(submit_kernel_output, kaggle, kernel, version),
        partial(keep_copy, content, f"{kernel.rpartition('/')[2]}-v{version}"),
        _command(["-k", kernel, "-v", str(version)], message),
        again,
    )


def competition_ids() -> NDArray[np.int64]:
    """1 to the number of images that the local sample_submission.csv has, or to 28,000; shape (m,)."""
    counts = (read_image_count(folder) for folder in data_candidates() if folder.is_dir())
    return np.arange(1, next((count for count in counts if count is not None), TEST_IMAGES) + 1)


def config_of(folder: RunFolder, sha256: str) -> RunConfig | None:
    """The config of the run that wrote a folder's submission; None where no run did. Prints what did not vote.

    Args:
        folder: A run's folder, a blend's, or another.
        sha256: Of its submission.

    Raises:
        UserError: the submission or the config is not what the run or the blend recorded.
    """
    record, is_run = read_submission_record(folder), folder.config.exists()
    if record is None and not is_run:
        return None
    if record is None or record.sha256 != sha256:
        raise UserError(
            f"{folder.submission} is not what {folder.submission_record} records: it was changed since, or the command "
            "was cut off. Give the run's or the blend's command again, which writes it anew and trains nothing that is "
            "finished. Or copy it elsewhere, and submit the copy."
        )
    if is_run and record.config_sha256 != file_sha256(folder.config):
        raise UserError(
            f"{folder.config} was changed since {folder.submission} was written: the run that it names now is not "
            "finished, and the predictions are not its. Rerun the run's command to finish it. The earlier "
            "predictions are in submissions/, and can be submitted from there."
        )
    if record.incomplete:
        print(f"{folder.path} is not complete: {record.incomplete}", flush=True)
    return folder.read_config() if is_run else None


def _name(submission: Path) -> str:
    """The name of a file without its ending, or of its folder where the file's says nothing."""
    return submission.stem if submission.name != SUBMISSION else submission.absolute().parent.name


def _submit(
    kaggle: Kaggle,
    entry: Entry,
    send: Callable[[str], None],
    keep: Callable[[], Path],
    command: str,
    again: bool,
) -> Entry:
    """Keep a copy of what `entry` describes and `send` it under its description, unless it was sent before; then wait.

    `command` is what the user gave, without --again.
    """
    with one_at_a_time():
        sent = _sent_before(kaggle, entry, again=again)
        if sent:
            print(f"already sent on {sent.time}; waiting for its score", flush=True)
        else:
            _check_limit(kaggle, command + " --again" * again)
            keep()
            _send(kaggle, record(entry), send)
            sent = record(replace(entry, status="pending"))
            print(f"sent {entry.source} as {entry.description!r}", flush=True)
    return wait_for_score(kaggle, sent, command)


def _send(kaggle: Kaggle, entry: Entry, send: Callable[[str], None]) -> None:
    """Send once. Returns if it arrived; an entry that surely did not is recorded as lost."""
    try:
        send(entry.description)
    except NoAnswerError as error:
        print(f"{error}\nlooking whether it arrived all the same", flush=True)
        with going_on("It may have arrived all the same. Rerun the same command: it looks first, then sends."):
            if not arrived(partial(find_submission, kaggle, entry)):
                raise RunError(f"{error} The submission is not in Kaggle's list yet.") from None
    except (UserError, RunError):
        record(replace(entry, status="lost"))
        raise


def _sent_before(kaggle: Kaggle, entry: Entry, *, again: bool) -> Entry | None:
    """The entry of the same predictions that waits for its score at Kaggle; None if they never arrived there.

    `again` asks only for those of which nobody knows yet whether they arrived.

    Raises:
        UserError: they have their score already.
    """
    for earlier in reversed(read_log()):
        if earlier.sha256 != entry.sha256 or earlier.status == "lost" or (again and earlier.status != "sending"):
            continue
        _refuse_if_ended(earlier)
        if earlier.status == "pending" or arrived(partial(find_submission, kaggle, earlier)) is not None:
            return earlier
        record(replace(earlier, status="lost"))
    if again:
        return None
    for found in submissions(kaggle):  # the log may be another machine's, or gone
        mark = MARK.search(found.description)
        if mark and mark[1] == entry.sha256[:HASH_LENGTH]:
            message = found.description[: mark.start()].rstrip()
            return record(replace(entry, id=mark[2], message=message, time=_time(found.date), status="pending"))
    return None


def _refuse_if_ended(earlier: Entry) -> None:
    if earlier.status in ("complete", "error"):
        outcome = f"scored {earlier.score}" if earlier.status == "complete" else f"failed: {earlier.error}"
        raise UserError(
            f"the same predictions were submitted on {earlier.time} ({earlier.source}) and {outcome}. "
            "To spend another submission on them, add --again."
        )


def _check_limit(kaggle: Kaggle, command: str) -> None:
    """Say how many submissions are left today; raise a UserError if there are none."""
    left, made = submissions_left(kaggle)
    if left < 1:
        raise UserError(
            f"no submission is left today ({made} were made), and nothing was sent. The next one is possible after "
            f"midnight UTC: {command}"
        )
    print(f"submissions left today: {left}", flush=True)


def _command(what: list[str], message: str | None) -> str:
    """The command line that submits the same again."""
    return shlex.join(["python", "-m", "pipeline", "submit", *what, *(["-m", message] if message else [])])


def _time(date: datetime | None = None) -> str:
    """A time of Kaggle's, which is UTC without saying so, or now; as the log has it."""
    return (date or datetime.now(UTC)).replace(tzinfo=UTC).isoformat(timespec="seconds")
