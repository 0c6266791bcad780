"""The competition's CSV files as arrays: every field is checked, and a fault is named by its line and column."""

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from pipeline.config.errors import UserError
from pipeline.data.archives import GET_THE_DATA, LARGEST_FILE, find_archive, named_damage, open_file

BLOCK = 1 << 22  # characters that are parsed at a time; keeps the memory at 0.3 GB
LONGEST_LINE = 1 << 16  # characters; a row of the competition has at most 3,140
INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
QUOTED_INTEGER = re.compile(r'"([+-]?[0-9]+)"')
LONGEST_QUOTE = 40  # characters of a field that a message shows


def read_csv(path: Path, name: str, columns: list[str], *, required: bool) -> Any:
    """Read the integer columns of one file.

    Args:
        path: A folder, a zip, or the file itself.
        name: The file's name, such as "train.csv".
        columns: Its header.
        required: Whether its absence is an error.

    Returns:
        Shape (rows, len(columns)); uint8 for pixels and labels, int64 for sample_submission.csv. None if the file is
        not there.

    Raises:
        UserError: the file is not there, is damaged, or is not in the competition's format.
    """
    absent = UserError(f"{path}: {name} (or {name}.gz) is not in there. {GET_THE_DATA}")
    archive = find_archive(path, name)
    if archive is None:
        if required:
            raise absent
        return None
    where = str(archive) if archive.name == name else f"{archive}: {name}"
    with ExitStack() as opened:
        with named_damage(where):
            stream = opened.enter_context(open_file(archive, name))
        if stream is None:
            if required:
                raise absent
            return None
        table = _read_table(stream, columns, None if name == "sample_submission.csv" else 255, where)
    if not len(table):
        raise UserError(f"{where}: no rows below the header. {GET_THE_DATA}")
    return table


def _read_table(stream: BinaryIO, columns: list[str], largest: int | None, where: str) -> Any:
    """The rows below the header; uint8 where `largest` is given, else int64."""
    blocks = _byte_blocks(stream, where)
    header, _, first = next(blocks, "\n").partition("\n")
    _check_header(header, columns, where)
    parts, line = [np.empty((0, len(columns)), np.uint8 if largest else np.int64)], 2
    for block in chain([first], blocks):
        if block.strip():
            parts.append(_parse(block, columns, largest, where, line))
        line += block.count("\n")
    return np.concatenate(parts)


def _byte_blocks(stream: BinaryIO, where: str) -> Iterator[str]:
    """The text of a file, some megabytes at a time: whole lines, each ended by a line feed, whatever ended it."""
    with named_damage(where):
        if stream.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):  # type: ignore[attr-defined]
            raise UserError(f"{where}: the text is UTF-16, as Windows writes it. Save it as UTF-8.")
    reader = io.TextIOWrapper(stream, "utf-8-sig")
    rest, size = "", 0
    while True:
        with named_damage(where):
            text = reader.read(BLOCK)
        if not text:
            break
        size += len(text)
        if size > LARGEST_FILE:
            raise UserError(f"{where}: is larger than the {LARGEST_FILE:,} bytes that are read. {GET_THE_DATA}")
        whole, newline, rest = (rest + text).rpartition("\n")
        if len(rest) > LONGEST_LINE:
            raise UserError(f"{where}: a line has more than {LONGEST_LINE:,} characters. {GET_THE_DATA}")
        if newline:
            yield whole + "\n"
    if rest:
        yield rest + "\n"


def _parse(block: str, columns: list[str], largest: int | None, where: str, line: int) -> Any:
    """Parse the lines of a block, of which the first is the file's line `line`; uint8 where `largest` is given.

    Every value is seen as int64 before it is narrowed: older versions of pandas, asked for uint8, take 256 for 0.
    """
    fault = UserError(f"{where}, from line {line} on: cannot be read as rows of integers. {GET_THE_DATA}")
    block = QUOTED_INTEGER.sub(r"\1", block) if '"' in block else block
    if "\0" in block:  # pandas takes it for the end of a field
        raise _first_bad_field(block, columns, largest, where, line) or fault
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # only that tells of rows with too many fields
            table: Any = pd.read_csv(
                io.StringIO(block),
                header=None,
                names=columns,
                dtype="int64",
                index_col=False,
                quoting=csv.QUOTE_NONE,  # a stray quote would swallow the lines up to the next one
            ).to_numpy()
    except (ValueError, OverflowError, pd.errors.ParserWarning):
        raise _first_bad_field(block, columns, largest, where, line) or fault from None
    if largest is None:
        return table
    if table.min() < 0 or table.max() > largest:
        raise _first_bad_field(block, columns, largest, where, line) or fault
    return table.astype(np.uint8)


def _first_bad_field(
    block: str, columns: Sequence[str], largest: int | None, where: str, line: int
) -> UserError | None:
    """What is wrong with the first bad field of a block, whose first line is the file's line `line`."""
    for number, text in enumerate(block.split("\n"), line):
        fields = text.split(",")
        if not text.strip():
            continue
        if len(fields) != len(columns):
            return UserError(f"{where}, line {number}: expected {len(columns)} fields, received {len(fields)}")
        for column, field in zip(columns, fields, strict=True):
            if not INTEGER.fullmatch(field) or (largest is not None and not 0 <= int(field) <= largest):
                rule = f"an integer in 0..{largest}" if largest else "an integer"
                return UserError(f"{where}, line {number}, column {column}: expected {rule}, received {_quoted(field)}")
    return None


def _check_header(line: str, columns: list[str], where: str) -> None:
    try:
        header = [name.strip() for name in next(csv.reader([line]), [])]
    except csv.Error:
        header = [line]
    if header == columns:
        return
    separator = next((mark for mark in ";\t|" if len(header) == 1 and mark in line), None)
    missing = [column for column in columns if column not in header]
    extra = [column for column in header if column not in columns]
    twice = next((column for column in columns if header.count(column) > 1), None)
    if separator:
        found = f"columns separated by {separator!r}. Save it with commas"
    elif missing or extra:
        found = "; ".join(
            f"{word} {len(names)} ({', '.join(map(_legible, names[:3]))}{', ...' if len(names) > 3 else ''})"
            for word, names in (("missing", missing), ("extra", extra))
            if names
        )
    elif twice:
        found = f"{twice} stands there twice"
    else:
        at = next(i for i, (a, b) in enumerate(zip(header, columns, strict=True)) if a != b)
        found = f"out of order, first at column {at + 1}: expected {columns[at]}, received {header[at]}"
    raise UserError(
        f"{where}, line 1: the columns must be {columns[0]}, {columns[1]} ... {columns[-1]}. Received: {found}"
    )


def _quoted(text: str) -> str:
    """A field or a name as a message shows it: quoted, and cut if it is long."""
    return repr(text) if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]!r}... ({len(text):,} characters)"


def _legible(name: str) -> str:
    """A column's name as a message shows it: quoted if it is no plain word."""
    return name if re.fullmatch(r"[\w.-]{1,40}", name, re.ASCII) else _quoted(name)
