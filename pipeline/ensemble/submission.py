"""The competition's submission file, `ImageId,Label`: written, and checked by reading it back."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.errors import UserError
from pipeline.records.atomic import atomic_replace

SUBMISSION_COLUMNS = ["ImageId", "Label"]


def write_submission(path: Path, image_ids: Any, labels: Any) -> None:
    """Write a submission, checked before it takes its name.

    Args:
        path: The CSV to write.
        image_ids: Integers, shape (m,), in the competition's order.
        labels: Predicted digits, integers 0 to 9, shape (m,).

    Raises:
        UserError: what was read back is not a valid submission for these ids.
    """
    with atomic_replace(path) as temporary:
        pd.DataFrame({"ImageId": image_ids, "Label": labels}).to_csv(temporary, index=False)
        check_submission(temporary, image_ids)


def check_submission(path: Path, image_ids: Any) -> None:
    """Check that a file is a submission the competition would take.

    Args:
        path: The CSV to check.
        image_ids: The ids it must have, in this order; integers, shape (m,).

    Raises:
        UserError: it cannot be read, or its columns, rows, ids or labels are not as they must be.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}).") from None
    if list(table.columns) != SUBMISSION_COLUMNS:
        raise UserError(f"{path}: the columns must be {SUBMISSION_COLUMNS}. Received: {list(table.columns)}")
    if len(table) != len(image_ids):
        raise UserError(f"{path}: expected {len(image_ids)} rows, one per test image. Received: {len(table)}")
    if wrong := _first(table["ImageId"].to_numpy() != np.asarray(image_ids)):
        row = wrong[0]
        raise UserError(f"{path}: line {row + 2}: expected ImageId {image_ids[row]}. Received: {table['ImageId'][row]}")
    labels = table["Label"]
    if labels.dtype.kind not in "iu":
        raise UserError(f"{path}: labels must be integers 0 to 9. Received a column of {labels.dtype}")
    if wrong := _first(~labels.isin(range(10)).to_numpy()):
        raise UserError(f"{path}: line {wrong[0] + 2}: a label must be 0 to 9. Received: {labels[wrong[0]]}")


def _first(wrong: Any) -> list[int]:
    """The first row that is wrong, as a list of one; empty if none is."""
    return np.flatnonzero(wrong)[:1].tolist()
