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
class Spread:
    """A mean difference and its variance, in percentage points."""

    pairs: int
    difference: float
    variance: float

    def interval(self, level: float = LEVEL) -> Interval:
        """The interval that misses the true difference with a probability of `level`."""
        degrees = self.pairs - 1 if self.pairs > 1 else np.inf
        half = float(t.ppf(1 - level / 2, degrees)) * self.variance**0.5
        return self.difference - half, self.difference + half


def spread_of(images: Sequence[NDArray[np.int64]], readings: Sequence[NDArray[Any]]) -> Spread:
    """The mean difference of some pairs, and its two-way clustered variance.

    The variance is never below that of sums by image alone, nor below that of sums by pair alone. That of a single pair
    is over images alone, for these two networks.

    Args:
        images: Ids of the images that each pair read, one array of shape (v,) per pair.
        readings: Its readings of them, -1 to 1, shape (v,).
    """
    _, image = np.unique(np.concatenate(images), return_inverse=True)
    values = np.concatenate(readings).astype(np.float64)
    pairs, mean = len(images), float(values.mean())
    by_image: float = (np.bincount(image, values - mean) ** 2).sum()
    by_cell = ((values - mean) ** 2).sum()
    if not values.any():
        # The rule of three: what none of n images shows may still befall about 3 in n.
        by_image = 2 * ((np.bincount(image) ** 2).sum() / len(values)) ** 2
    variance = by_image
    if pairs > 1:
        by_pair = sum((reading - mean).sum() ** 2 for reading in readings) * pairs / (pairs - 1)
        # The first part stays however many pairs read the same images, the second falls as 1 / pairs.
        variance = max(by_image - by_cell, 0) + max(by_pair, min(by_image, by_cell))
    return Spread(pairs, float(100 * mean), float(variance * (100 / len(values)) ** 2))


def student_interval(values: Any, level: float = LEVEL) -> Interval | None:
    """Student's interval of the mean of values, shape (n,); None with fewer than `FEWEST_PAIRS`."""
    if len(values) < FEWEST_PAIRS:
        return None
    with warnings.catch_warnings(action="ignore"):  # that values are all alike, which here they may be
        low, high = ttest_1samp(values, 0).confidence_interval(1 - level)
    return float(low), float(high)
