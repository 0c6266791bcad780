"""The competition's submission file, `ImageId,Label`, checked byte by byte."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.errors import UserError
from pipeline.config.text import encoding_fault
from pipeline.data.archives import quoted
from pipeline.data.digits import Digits

SUBMISSION_COLUMNS = ["ImageId", "Label"]
SUBMISSION_HEADER = ",".join(SUBMISSION_COLUMNS)
LARGEST_SUBMISSION = 10_000_000  # bytes; the competition's have 210 KB
SAMPLE_IMAGES = 2_000
OF_THE_SAMPLE = (
    "(this looks like the sample, whose images are not the competition's: python -m pipeline download, then run quick)."
)
ROW = re.compile(r"(0|[1-9][0-9]*),(0|[1-9][0-9]*)")
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zX", b"7z\xbc\xaf")  # how their files begin
FEWEST_TO_VARY = 20  # images; as many that show one digit by chance are unheard of


def same_digit(labels: Any) -> bool:
    """Whether labels, shape (m,), give every image the same digit, as those of a broken network do."""
    return len(labels) >= FEWEST_TO_VARY and len(set(labels)) == 1


def with_labels(digits: Digits, path: Path | None) -> Digits:
    """The data with the digits of its test images, from a file like a submission; unchanged where `path` is None.

    They only ever judge what was trained, as the sample's held-back labels do.

    Raises:
        UserError: the file is not in the submission's format, or not of these test images.
    """
    if path is None:
        return digits
    rows = check_submission(path, digits.image_ids).split()[1:]
    return replace(digits, held_back_labels=np.array([int(row.split(b",")[1]) for row in rows], np.uint8))


def check_submission(path: Path, image_ids: Any) -> bytes:
    """Check that a file is a submission that the competition takes; returns its bytes, so that no others are sent.

    Kaggle spends one of the day's submissions on a file that it cannot score, so nothing is tolerated here: the exact
    header, one kind of line ends, two canonical integers a line, no blank line. The last line may lack its end.

    Args:
        path: The CSV to check.
        image_ids: The ids that it must have, in this order; integers, shape (m,).

    Raises:
        UserError: the file cannot be read, or its first fault.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_SUBMISSION + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from None
    if content.startswith(ARCHIVES):
        raise UserError(f"{path} is an archive. Unpack it, and name the CSV that is in it.")
    if fault := _fault(content, image_ids):
        raise UserError(f"{path}: {fault}")
    return content


def _fault(content: bytes, image_ids: Any) -> str | None:
    """The first thing that is wrong with a submission's bytes."""
    if len(content) > LARGEST_SUBMISSION:
        return f"larger than {LARGEST_SUBMISSION:,} bytes: that is no submission."
    if fault := encoding_fault(content):
        return f"{fault}."
    text = content.decode()
    both, feeds, returns = (text.count(end) for end in ("\r\n", "\n", "\r"))
    if both != returns or (both and both != feeds):
        return "the ends of the lines differ, or are old Macintosh ones. Use line feeds throughout."
    lines = text.split("\r\n" if both else "\n")
    if lines[-1] == "":
        lines.pop()
    if not lines or lines[0] != SUBMISSION_HEADER:
        return f"line 1: expected the columns {SUBMISSION_HEADER}. Received: {quoted(lines[0] if lines else '')}"
    for number, (line, image_id) in enumerate(zip(lines[1:], image_ids, strict=False), 2):
        if fault := _row_fault(line, image_id):
            return f"line {number}: {fault}"
    if len(lines) - 1 != len(image_ids):
        sample = f" {OF_THE_SAMPLE}" if len(lines) - 1 == SAMPLE_IMAGES else ""
        return f"expected {len(image_ids)} rows, one per test image. Received: {len(lines) - 1}{sample}"
    if same_digit(digits := [line[-1:] for line in lines[1:]]):
        return f"every image is given the digit {digits[0]}: that predicts nothing."
    return None


def _row_fault(line: str, image_id: int) -> str | None:
    """What is wrong with the row of an image."""
    row = ROW.fullmatch(line)
    if not row:
        received = f"expected two integers, written plainly, such as 12,3. Received: {quoted(line)}"
        return received if line.strip() else "blank."
    if row[1] != str(image_id):
        return f"expected ImageId {image_id}. Received: {quoted(row[1])}"
    return f"a label must be 0 to 9. Received: {quoted(row[2])}" if len(row[2]) > 1 else None
