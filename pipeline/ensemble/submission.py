"""From predicted digits to submission.csv, its record, and the copy that is kept."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import make_folder, submissions_folder
from pipeline.data.submission_file import SUBMISSION_COLUMNS, check_submission, same_digit
from pipeline.records.atomic import atomic_replace
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import SubmissionRecord, record_submission


def write_submission(folder: RunFolder, image_ids: Any, labels: Any, made_of: SubmissionRecord) -> None:
    """Write a submission and its record, checked before it takes its place.

    Args:
        folder: Where to write.
        image_ids: Integers, shape (m,), in the competition's order.
        labels: Predicted digits, integers 0 to 9, shape (m,).
        made_of: Who voted.

    Raises:
        UserError: the ids and labels do not make a valid submission.
        RunError: every image is given the same digit.
    """
    if same_digit(labels):
        raise RunError(
            f"the networks give every image the digit {labels[0]}: they have learnt nothing, and no submission was "
            "written. Lower --train.learning-rate, or train longer."
        )
    rows = [f"{image_id},{label}" for image_id, label in zip(image_ids, labels, strict=True)]
    with atomic_replace(folder.submission) as temporary:
        temporary.write_bytes("\n".join([",".join(SUBMISSION_COLUMNS), *rows, ""]).encode())
        check_submission(temporary, image_ids)
        record_submission(folder, temporary, made_of)


def make_room_for_copies() -> None:
    """Make submissions/, or raise a UserError that says why that cannot be: before hours of work, not after."""
    make_folder(submissions_folder())


def keep_copy(content: bytes, name: str) -> Path:
    """Write a submission's bytes to submissions/ as NAME-HASH.csv, where no later run overwrites it; its path."""
    target = make_folder(submissions_folder()) / f"{name}-{hashlib.sha256(content).hexdigest()[:8]}.csv"
    with atomic_replace(target) as temporary:
        temporary.write_bytes(content)
    return target


def keep_copy_of(folder: RunFolder, name: str) -> Path:
    """Keep a copy of a folder's submission; its path.

    Raises:
        RunError: it cannot be written; the submission itself is whole.
    """
    try:
        return keep_copy(folder.submission.read_bytes(), name)
    except (OSError, RunError, UserError) as error:
        raise RunError(
            f"{folder.submission} is whole, but could not be copied to {submissions_folder()}/: {error}"
        ) from None
