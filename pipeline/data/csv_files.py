"""The competition's CSV files: plain, gzipped or in its zip; every field checked, faults named by line and column."""

import csv
import gzip
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np
import pandas as pd

from pipeline.config.errors import UserError
from pipeline.config.places import COMPETITION

ROWS_PER_CHUNK = 4000
GET_THE_DATA = (
    "Get it with `python -m pipeline download` (accept the rules at "
    f"https://www.kaggle.com/c/{COMPETITION}/rules first) or put {COMPETITION}.zip or its CSV files into data/."
)


def find_archive(path: Path, name: str) -> Path | None:
    """What holds the file `name`: a plain file, a gzipped one or the competition's zip; None if nothing does."""
    if path.is_file():
        return path
    candidates = [path / name, path / f"{name}.gz", path / f"{COMPETITION}.zip"]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def read_csv(path: Path, name: str, columns: list[str], *, required: bool) -> Any:
    """The integer columns of one file as an array of shape (rows, len(columns)); uint8 if they are pixels."""
    where = f"{path}: {name}"
    try:
        with _open(path, name) as stream:
            if stream is None:
                if required:
                    raise UserError(f"{path}: {name} (or {name}.gz) is not in there. {GET_THE_DATA}")
                return None
            header = next(csv.reader([stream.readline().decode("utf-8-sig")]), [])
            _check_header(header, columns, where)
            try:
                with warnings.catch_warnings():
                    # pandas only warns when a row has too many fields.
                    warnings.simplefilter("error", pd.errors.ParserWarning)
                    table = _parse(stream, columns, _largest(name))
            except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
                raise UserError(_first_bad_field(path, name, columns) or f"{where}: {error}") from None
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{where}: damaged or cut short ({error}). {GET_THE_DATA}") from None
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror or error}).") from None
    if not len(table):
        raise UserError(f"{where}: no rows below the header. {GET_THE_DATA}")
    return table


@contextmanager
def _open(path: Path, name: str) -> Iterator[BinaryIO | None]:
    """The file `name` in a folder or zip, as a stream of bytes; None if it is not there."""
    archive = find_archive(path, name)
    if archive is None:
        yield None
    elif archive.suffix == ".gz":
        with gzip.open(archive) as stream:
            yield cast(BinaryIO, stream)
    elif archive.suffix == ".csv":
        with archive.open("rb") as stream:
            yield stream
    else:
        with zipfile.ZipFile(archive) as content:
            for entry in content.namelist():
                # Nothing is extracted, so nothing could escape; but a zip that tries is not the competition's.
                if PurePosixPath(entry).is_absolute() or ".." in PurePosixPath(entry.replace("\\", "/")).parts:
                    raise UserError(f"{archive}: the entry {entry!r} points outside of the zip. {GET_THE_DATA}")
            if name not in content.namelist():
                yield None
            else:
                with content.open(name) as stream:
                    yield cast(BinaryIO, stream)


def _largest(name: str) -> int | None:
    """The largest value a file may hold; None for no limit."""
    return None if name == "sample_submission.csv" else 255


def _parse(stream: BinaryIO, columns: list[str], largest: int | None) -> Any:
    """Parse rows of integers; uint8 where a largest value is given.

    The chunks keep the memory at 0.25 GB, and every value is seen as int64 before it is narrowed: older versions of
    pandas, asked for uint8, take 256 for 0.

    Raises:
        ValueError: a field is no integer, or not in 0..largest.
    """
    chunks = []
    for table in pd.read_csv(
        stream, header=None, names=columns, dtype="int64", index_col=False, chunksize=ROWS_PER_CHUNK
    ):
        chunk = table.to_numpy()
        if largest is not None:
            if chunk.size and (chunk.min() < 0 or chunk.max() > largest):
                raise ValueError(f"a value is outside of 0..{largest}")
            chunk = chunk.astype(np.uint8)
        chunks.append(chunk)
    return np.concatenate(chunks)


def _check_header(header: list[str], columns: list[str], where: str) -> None:
    if header == columns:
        return
    missing = [column for column in columns if column not in header]
    extra = [column for column in header if column not in columns]
    if missing or extra:
        found = [f"{word} {len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
                 for word, names in (("missing", missing), ("extra", extra)) if names]  # fmt: skip
    elif len(header) != len(columns):
        found = ["a column stands there twice"]
    else:
        at = next(i for i, (a, b) in enumerate(zip(header, columns, strict=True)) if a != b)
        found = [f"out of order, first at column {at + 1}: expected {columns[at]}, received {header[at]}"]
    raise UserError(
        f"{where}, line 1: the columns must be {columns[0]}, {columns[1]} ... {columns[-1]}. "
        f"Received: {'; '.join(found)}"
    )


def _first_bad_field(path: Path, name: str, columns: list[str]) -> str | None:
    """Read a file again, slowly, to say where its first bad field is."""
    largest = _largest(name)
    with _open(path, name) as stream:
        if stream is None:
            return None
        for line, row in enumerate(csv.reader(io.TextIOWrapper(stream, "utf-8-sig")), 1):
            if line == 1 or not row:
                continue
            if len(row) != len(columns):
                return f"{path}: {name}, line {line}: expected {len(columns)} fields, received {len(row)}"
            for column, text in zip(columns, row, strict=True):
                try:
                    sound = float(text).is_integer() and (largest is None or 0 <= float(text) <= largest)
                except ValueError:
                    sound = False
                if not sound:
                    rule = f"an integer in 0..{largest}" if largest else "an integer"
                    return f"{path}: {name}, line {line}, column {column}: expected {rule}, received {text!r}"
    return None
