"""The competition's CSV files as arrays: every field is checked, and a fault is named by its line and column."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from decimal import Decimal
from functools import lru_cache
from itertools import chain, zip_longest
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
    find_archive,
    legible,
    named_damage,
    open_file,
    quoted,
)

BLOCK = 1 << 22  # characters that are parsed at a time; keeps the memory at 0.3 GB
LONGEST_LINE = 1 << 16  # characters; a row of the competition has at most 3,140
PLAIN = b"0123456789,\n"  # all that the competition's rows are made of
NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?")


def read_csv(path: Path, name: str, columns: list[str], dtype: type[np.integer], *, required: bool = True) -> Any:
    """Read the columns of one file, all of whole numbers from 0.

    Args:
        path: A folder, a zip, or the file itself.
        name: The file's name, such as "train.csv".
        columns: Its header.
        dtype: What holds every number: uint8 for pixels and labels.
        required: Whether its absence is an error.

    Returns:
        Shape (rows, len(columns)). None if the file is not there.

    Raises:
        UserError: the file is not there, is damaged, or is not in the competition's format.
    """
    archive = find_archive(path, name)
    where = str(archive) if archive and archive.name == name else f"{archive}: {name}"
    with ExitStack() as opened:
        stream = None
        if archive:
            with named_damage(where):
                stream = open_file(opened, archive, name)
        if stream is None:
            if required:
                raise absent(archive or path, name)
            return None
        table = _read_table(stream, columns, dtype, where)
    if not len(table):
        raise UserError(f"{where}: no rows below the header. {GET_THE_DATA}")
    return table


def _read_table(stream: BinaryIO, columns: list[str], dtype: type[np.integer], where: str) -> Any:
    """The rows below the header."""
    blocks = _blocks(stream, where)
    header, _, first = next(blocks, "\n").partition("\n")
    _check_header(header, columns, where)
    parts, line = [np.empty((0, len(columns)), dtype)], 2
    for block in chain([first], blocks):
        if block.strip():
            parts.append(_parse(block, columns, dtype, where, line))
        line += block.count("\n")
    return np.concatenate(parts)


def _blocks(stream: BinaryIO, where: str) -> Iterator[str]:
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


def _parse(block: str, columns: Sequence[str], dtype: type[np.integer], where: str, line: int) -> Any:
    """Parse the lines of a block, of which the first is the file's line `line`.

    pandas is no validator: it gets nothing but digits, commas and line feeds, and every value is seen as int64 before
    it is narrowed. Whatever it does not take is read field by field, and so is named, or turns out to be sound.
    """
    largest = int(np.iinfo(dtype).max)
    if not block.encode().translate(None, PLAIN):
        with suppress(ValueError, OverflowError):
            table = pd.read_csv(io.StringIO(block), header=None, dtype="int64").to_numpy()
            if table.shape[1] == len(columns) and table.max() <= largest:
                return table.astype(dtype)
    rows = []
    for number, text in enumerate(block.split("\n"), line):
        if not text.strip():
            continue
        fields = text.split(",")
        if len(fields) != len(columns):
            raise UserError(f"{where}, line {number}: expected {len(columns)} fields, received {len(fields)}")
        rows.append([_whole_number(field, largest) for field in fields])
        if -1 in rows[-1]:
            at = rows[-1].index(-1)
            place = f"{where}, line {number}, column {columns[at]}"
            raise UserError(f"{place}: expected an integer in 0..{largest}, received {quoted(fields[at])}")
    return np.array(rows, dtype)


@lru_cache(1 << 12)
def _whole_number(field: str, largest: int) -> int:
    """The number in a field, be it written as 7, "7", 7.0 or +0.7e1; -1 if it is none in 0..largest."""
    text = _bare(field)
    if not NUMBER.fullmatch(text):
        return -1
    number = Decimal(text)
    return int(number) if 0 <= number <= largest and number == number.to_integral_value() else -1


def _bare(field: str) -> str:
    """A field without the spaces and the quotes around it."""
    text = field.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _check_header(line: str, columns: list[str], where: str) -> None:
    header = [_bare(name) for name in line.split(",")]
    if header == columns:
        return
    if separator := next((mark for mark in ";\t|" if len(header) == 1 and mark in line), None):
        found = f"columns separated by {separator!r}. Save it with commas"
    elif header == ["", *columns]:
        found = "a first column without a name, as pandas writes its index. Save with index=False"
    else:
        both = enumerate(zip_longest(columns, header), 1)
        number, (expected, received) = next((i, (a, b)) for i, (a, b) in both if a != b)
        found = "nothing" if received is None else legible(received)
        found += f" as column {number}, where {expected or 'nothing'} is expected"
    raise UserError(
        f"{where}, line 1: the columns must be {columns[0]}, {columns[1]} ... {columns[-1]}. Received: {found}"
    )
