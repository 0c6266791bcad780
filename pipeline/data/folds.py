"""Stratified folds of the labelled rows; rows that are the same picture share a fold."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from pipeline.config.errors import UserError
from pipeline.config.schema import MemberSpec, RunConfig
from pipeline.data.digits import Digits


def validation_folds(digits: Digits, folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each labelled row to one of `folds` folds, stratified over the distinct pictures.

    Rows that are the same picture get the same fold, so that no network is validated on a picture that it trained on.

    Returns:
        int64 of shape (n,), 0 to folds - 1: the fold in which a row is a validation row.

    Raises:
        UserError: a class has fewer pictures than there are folds, so some fold would lack it.
    """
    first, picture_of_row = np.unique(first_copies(digits.images), return_inverse=True)
    labels = digits.labels[first]
    counts = np.bincount(labels, minlength=10)
    if counts.min() < folds:
        raise UserError(
            f"digit {counts.argmin()} has {counts.min()} labelled rows, so it is absent from some of the {folds} "
            "folds. Lower --folds, or use data with more rows of it."
        )
    fold_of_picture = np.empty(len(first), np.int64)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, validation) in enumerate(splitter.split(labels, labels)):
        fold_of_picture[validation] = fold
    return fold_of_picture[picture_of_row]


def first_copies(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each image of shape (n, 28, 28), the first row that is the same picture; int64, shape (n,)."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(image.tobytes(), row) for row, image in enumerate(images)], np.int64)


def split_rows(spec: MemberSpec, digits: Digits) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The labelled rows that a member trains on, and those it is validated on; int64, ascending."""
    rows = np.arange(len(digits.labels))
    if spec.fold is None:
        return rows, rows[:0]
    validated = validation_folds(digits, spec.recipe.folds, spec.recipe.split_seed) == spec.fold
    return rows[~validated], rows[validated]


def check_rows(config: RunConfig, digits: Digits) -> None:
    """Check that the data has the rows that a config asks for.

    Raises:
        UserError: a member has fewer rows to train on than a batch, or a fold lacks a class.
    """
    training, recipe = len(digits.labels), config.recipe
    if recipe.folds:
        folds = validation_folds(digits, recipe.folds, recipe.split_seed)
        training -= max((folds == fold).sum() for fold in range(config.folds_used))
    if training < recipe.train.batch_size:
        raise UserError(
            f"train.batch_size is {recipe.train.batch_size}, but a network has only {training} rows to train on. "
            "Lower it."
        )
