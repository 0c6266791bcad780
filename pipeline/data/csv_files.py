"""The competition's CSV files as arrays: every field is checked, and a fault is named by its line and column."""

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from pipeline.config.errors import UserError
from pipeline.config.text import encoding_fault
from pipeline.data.archives import (
    GET_THE_DATA,
    LARGEST_FILE,
    absent,
    find_archives,
    legible,
    named_damage,
    open_file,
    quoted,
)

BLOCK = 1 << 22  # characters that are parsed at a time; keeps the memory at 0.3 GB
LONGEST_LINE = 1 << 16  # characters; a row of the competition has at most 3,140
# A point or exponent unlike those that pandas writes when it saves integers as floats: 100.0.
UNUSUAL = re.compile(r"\.(?!0[,\n])|(?<![0-9])\.|[eE]")
# A whole field but for spaces and its sign.
NUMBER = re.compile(r"(?<![^,\s+-])[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?(?![^,\s])")
LONGEST_NUMBER = 40  # characters
LARGEST = 10**18  # of a number, so that it fits an int64
QUOTED_NUMBER = re.compile(r'(?<![^,\s])"([+-]?[0-9][0-9.eE+-]*)"(?![^,\s])')


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
    archives = find_archives(path, name)
    if not archives:
        if required:
            raise absent(path, name)
        return None
    archive = archives[0]
    where = str(archive) if archive.name == name else f"{archive}: {name}"
    with ExitStack() as opened:
        with named_damage(where):
            stream = opened.enter_context(open_file(archive, name))
        if stream is None:
            if required:
                raise absent(archive, name)
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
        if (fault := encoding_fault(stream.peek(2)[:2])) and "UTF-16" in fault:  # type: ignore[attr-defined]
            raise UserError(f"{where}: the text {fault}.")
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

    pandas would take 1e-400 for 0, 256 for 0 when asked for uint8, and the byte 0 for the end of a field: it is given
    integers only, and every value is seen as int64 before it is narrowed.
    """
    plain = _with_integers(block)
    if not any(mark in plain for mark in ".eE\0"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # only that tells of rows with too many fields
                table: Any = pd.read_csv(
                    io.StringIO(plain),
                    header=None,
                    names=columns,
                    dtype="int64",
                    index_col=False,
                    quoting=csv.QUOTE_NONE,  # a stray quote would swallow the lines up to the next one
                ).to_numpy()
        except (ValueError, OverflowError, pd.errors.ParserWarning):
            pass
        else:
            if largest is None:
                return table
            if table.min() >= 0 and table.max() <= largest:
                return table.astype(np.uint8)
    fault = f"{where}, from line {line} on: cannot be read as rows of integers. {GET_THE_DATA}"
    raise UserError(_first_fault(block, columns, largest, where, line) or fault)


def _with_integers(text: str) -> str:
    """Fields or whole lines with their whole numbers as integers, however they were written."""
    plain = QUOTED_NUMBER.sub(r"\1", text) if '"' in text else text
    if not any(mark in plain for mark in ".eE"):
        return plain
    if UNUSUAL.search(plain):
        return NUMBER.sub(_as_integer, plain)
    return plain.replace(".0,", ",").replace(".0\n", "\n")


def _as_integer(number: re.Match[str]) -> str:
    """A number, as an integer if it is whole, be it written as 100.0 or 1e2; else as it is."""
    text = number[0]
    if text.isdigit() or len(text) > LONGEST_NUMBER:
        return text
    value = Decimal(text)
    return str(int(value)) if value < LARGEST and value == value.to_integral_value() else text


def _first_fault(block: str, columns: Sequence[str], largest: int | None, where: str, line: int) -> str | None:
    """What is wrong with the first bad field of a block, whose first line is the file's line `line`."""
    rule = f"an integer in 0..{largest}" if largest else "an integer"
    for number, text in enumerate(block.split("\n"), line):
        fields = text.split(",")
        if not text.strip():
            continue
        if len(fields) != len(columns):
            return f"{where}, line {number}: expected {len(columns)} fields, received {len(fields)}"
        for column, field in zip(columns, fields, strict=True):
            plain = _with_integers(f"{field}\n").strip()
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", plain) or (largest and not 0 <= int(plain) <= largest):
                return f"{where}, line {number}, column {column}: expected {rule}, received {quoted(field)}"
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
    elif header == ["", *columns]:
        found = "a first column without a name, as pandas writes its index. Save with index=False"
    elif missing or extra:
        found = "; ".join(
            f"{word} {len(names)} ({', '.join(map(legible, names[:3]))}{', ...' if len(names) > 3 else ''})"
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
