"""How far the mean difference between two arms may be off: variance clustered by images and by pairs.

Another sample of digits would give other errors, and another seed another network, so the interval counts both. The
reading of image i by pair p is 1 where only the first network is right, -1 where only the second is, and else 0.
Readings of one image depend on each other, as do readings of one pair. The variance of their mean is that of sums by
image, plus that of sums by pair, less that of single readings, which both of the others hold (Cameron, Gelbach &
Miller 2011, "Robust inference with multiway clustering").

Quantiles are those of Student's t with the degrees of freedom of the pairs, n - 1. With two pairs nothing is known of
the variance between them, so intervals begin with three. In simulated studies the 95% interval covers the truth in 95%
or more (docs/study.md).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t, ttest_1samp

LEVEL = 0.05  # what a 95% interval misses
FEWEST_PAIRS = 3  # for an interval over seeds and images, and for a verdict
Interval = tuple[float, float]


@dataclass(frozen=True)
class Tally:
    """Sums over the readings of one study, or of many studies along leading axes."""

    nets: NDArray[Any]
    """Sum of the readings of each pair, shape (..., pairs)."""
    images: NDArray[np.int64]
    """How many images each pair read, shape (pairs,)."""
    cell_squares: Any
    """Sum of the squared readings."""
    image_squares: Any
    """Sum over images of the squared sum of its readings."""
    image_products: Any
    """Sum over images of the sum of its readings times their number."""
    squared_counts: int
    """Sum over images of the squared number of its readings."""


@dataclass(frozen=True)
class Spread:
    """The mean difference and its variance, in percentage points; arrays where the tally is one of many studies."""

    pairs: int
    difference: Any
    variance: Any

    def interval(self, level: float = LEVEL) -> tuple[Any, Any]:
        """The interval that misses the true difference with a probability of `level`."""
        degrees = self.pairs - 1 if self.pairs > 1 else np.inf
        half = t.ppf(1 - level / 2, degrees) * np.sqrt(self.variance)
        return self.difference - half, self.difference + half


def tally(images: Sequence[NDArray[np.int64]], readings: Sequence[NDArray[Any]]) -> Tally:
    """Add up what pairs read.

    Args:
        images: Ids of the images that each pair read, one array of shape (v,) per pair.
        readings: Its readings of them, -1 to 1, shape (v,).
    """
    _, image = np.unique(np.concatenate(images), return_inverse=True)
    values = np.concatenate(readings).astype(np.float64)
    sums, counts = np.bincount(image, values), np.bincount(image)
    return Tally(
        nets=np.array([reading.sum() for reading in readings]),
        images=np.array([len(ids) for ids in images]),
        cell_squares=(values**2).sum(),
        image_squares=(sums**2).sum(),
        image_products=(sums * counts).sum(),
        squared_counts=int((counts**2).sum()),
    )


def two_way(sums: Tally) -> Spread:
    """The mean difference of two or more pairs, and its two-way clustered variance.

    The variance is never below that of sums by image alone, nor below that of sums by pair alone.
    """
    pairs, cells = len(sums.images), sums.images.sum()
    mean = sums.nets.sum(axis=-1) / cells
    by_pair = ((sums.nets - mean[..., None] * sums.images) ** 2).sum(axis=-1) * pairs / (pairs - 1)
    by_image = sums.image_squares - 2 * mean * sums.image_products + mean**2 * sums.squared_counts
    # Where no reading differs, the rule of three: what none of n images shows may still befall about 3 in n.
    by_image = np.where(sums.cell_squares == 0, 2 * (sums.squared_counts / cells) ** 2, by_image)
    by_cell = sums.cell_squares - mean**2 * cells
    # The first part stays however many pairs read the same images, the second falls as 1 / pairs.
    shared, own = np.maximum(by_image - by_cell, 0), np.maximum(by_pair, np.minimum(by_image, by_cell))
    to_points = 100 / cells
    return Spread(pairs, 100 * mean, shared * to_points**2 + own * to_points**2)


def one_way(sums: Tally) -> Spread:
    """The same of a single pair: its variance over images alone, for these two networks."""
    cells = sums.images.sum()
    mean = sums.nets.sum(axis=-1) / cells
    by_image = np.where(sums.cell_squares == 0, 2, sums.cell_squares - mean**2 * cells)
    return Spread(1, 100 * mean, by_image * (100 / cells) ** 2)


def student_interval(values: Any, level: float = LEVEL) -> Interval | None:
    """Student's interval of the mean of values, shape (n,); None with fewer than two."""
    if len(values) < 2:
        return None
    with warnings.catch_warnings(action="ignore"):  # that values are all alike, which here they may be
        low, high = ttest_1samp(values, 0).confidence_interval(1 - level)
    return float(low), float(high)
