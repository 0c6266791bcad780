"""What about the data a user should know before trusting predictions: copies, and images unlike those trained on."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import Digits
from pipeline.data.folds import first_copies

# The limits are wide of what chance does to the competition's digits, and narrow of what a slip in a file does.
FEWEST_IMAGES = 20  # below, chance alone moves the means
INK_RATIO, INK_ERRORS = 1.1, 5.0  # between the mean pixels, and that difference in standard errors
LOWEST_CORRELATION = 0.8  # of the mean images; 30 digits against 100 reach 0.93
BETTER_CORRELATION = 0.04  # by which the images must fit better turned or mirrored
SHARE_DIFFERENCE, SHARE_ERRORS = 0.05, 5.0  # of a digit's share, absolute and in standard errors
FEWEST_LABELS, LEAST_SHARE, LARGEST_SHARE = 100, 0.02, 0.3  # of a digit among the labels; the competition's: 9 to 11%

VIEWS: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda image: image.T,
    "mirrored left to right": np.fliplr,
    "upside down": np.flipud,
    "turned by 180 degrees": lambda image: np.rot90(image, 2),
    "turned by 90 degrees": np.rot90,
    "turned by 270 degrees": lambda image: np.rot90(image, 3),
}


def data_warnings(digits: Digits) -> list[str]:
    """What to tell before the training, a sentence or two each; empty when nothing stands out."""
    return [text for text in (_lopsided(digits), _copies(digits), _unlike(digits)) if text]


def share_warning(digits: Digits, predicted: NDArray[np.int64]) -> str | None:
    """What to tell if the predicted digits are spread unlike the labelled ones.

    Args:
        digits: The labelled digits.
        predicted: Labels of the images to predict, shape (m,).
    """
    if len(predicted) < FEWEST_IMAGES:
        return None
    known = np.bincount(digits.labels, minlength=10) / len(digits.labels)
    share = np.bincount(predicted, minlength=10) / len(predicted)
    errors = np.sqrt(known * (1 - known) * (1 / len(predicted) + 1 / len(digits.labels)))
    wrong = np.flatnonzero(np.abs(share - known) > np.maximum(SHARE_DIFFERENCE, SHARE_ERRORS * errors))
    if not len(wrong):
        return None
    shares = ", ".join(f"{digit}: {share[digit]:.0%} predicted, {known[digit]:.0%} labelled" for digit in wrong)
    return f"the predicted digits are spread unlike the labelled ones ({shares}). Check the images to predict."


def _lopsided(digits: Digits) -> str | None:
    """Digits that hardly any of the labels are, or most of them."""
    share = np.bincount(digits.labels, minlength=10) / len(digits.labels)
    odd = np.flatnonzero((share < LEAST_SHARE) | (share > LARGEST_SHARE))
    if len(digits.labels) < FEWEST_LABELS or not len(odd):
        return None
    shares = ", ".join(f"{share[digit]:.1%} are {digit}" for digit in odd)
    return f"the labels are lopsided: {shares}. Networks will guess the common digits. Is train.csv whole?"


def _copies(digits: Digits) -> str | None:
    """Labelled rows that are the same picture."""
    first = first_copies(digits.images)
    copies = np.flatnonzero(first != np.arange(len(first)))
    if not len(copies):
        return None
    contrary = int((digits.labels[copies] != digits.labels[first[copies]]).sum())
    return (
        f"{len(copies)} labelled rows repeat the picture of an earlier row, such as the rows {first[copies[0]]} and "
        f"{copies[0]} (counted from 0); {contrary} of them have another label. Copies share a fold, so that no network "
        "is validated on a picture that it trained on."
    )


def _unlike(digits: Digits) -> str | None:
    """How the images to predict differ from the labelled ones, if they do; the plainest difference only."""
    labelled, test = digits.images, digits.test_images
    if min(len(labelled), len(test)) < FEWEST_IMAGES:
        return None
    reason = _other_ink(labelled, test) or _other_shape(labelled, test)
    if not reason:
        return None
    return (
        f"the images to predict are unlike the labelled ones: {reason}. The predictions will be poor. Check that both "
        "files were made in the same way."
    )


def _other_ink(labelled: NDArray[np.uint8], test: NDArray[np.uint8]) -> str | None:
    ours, theirs = labelled.mean((1, 2)), test.mean((1, 2))
    mean, other = float(ours.mean()), float(theirs.mean())
    error = float(np.sqrt(ours.var() / len(ours) + theirs.var() / len(theirs)))
    if max(mean, other) <= INK_RATIO * min(mean, other) or abs(mean - other) <= INK_ERRORS * error:
        return None
    found = f"their mean pixel is {other:.1f}, that of the labelled images {mean:.1f}"
    inverted = max(mean, 255 - other) <= INK_RATIO * min(mean, 255 - other)
    return f"{found}, as if black and white were swapped" if inverted else found


def _other_shape(labelled: NDArray[np.uint8], test: NDArray[np.uint8]) -> str | None:
    ours, theirs = labelled.mean(0), test.mean(0)
    fits = {name: _correlation(ours, turn(theirs)) for name, turn in VIEWS.items()}
    straight, best = _correlation(ours, theirs), max(fits, key=lambda name: fits[name])
    if fits[best] > max(straight + BETTER_CORRELATION, LOWEST_CORRELATION):
        return f"they look {best}"
    return "their strokes are elsewhere" if straight < LOWEST_CORRELATION else None


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.std() and other.std() else 0.0
