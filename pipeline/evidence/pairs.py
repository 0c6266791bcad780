"""Paired statistics between two arms: by how much two activations differ, and how sure that is.

A pair is two members of the same seed and fold, which share everything but the activation. What is estimated is the
mean difference in accuracy over all seeds and images, so the interval counts both: seeds, because another seed gives
other networks, and images, because another sample of digits gives other errors.

References: Owen 2007, "The pigeonhole bootstrap" (resampling two crossed factors; its variance is not too small);
Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks" (P(A > B) over paired seeds); Holm
1979, "A simple sequentially rejective multiple test procedure".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import permutation_test, ttest_1samp
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05
REPLICATES = 5000
RESAMPLES = 9999


@dataclass(frozen=True)
class Pair:
    """Two members of the same seed and fold."""

    fold: int
    difference: NDArray[np.int8]
    """Per validation row of the fold: 1 where only the first is right, -1 where only the second is, else 0."""
    time_ratio: float
    """Seconds per epoch, first over second."""

    @property
    def points(self) -> float:
        """Difference in accuracy, in percentage points."""
        return 100 * float(self.difference.mean())


@dataclass(frozen=True)
class Paired:
    """How the first of two arms compares with the second. Accuracies are in percentage points."""

    first: str
    second: str
    points: list[float]
    """Difference of each pair."""
    difference: float
    """Their mean."""
    interval: tuple[float, float] | None
    """95%, over seeds and images; None with a single pair, which shows no spread."""
    equivalence_interval: tuple[float, float] | None
    """90%, the one that decides on equivalence: two one-sided tests at 5%."""
    first_better: float
    """P(A > B): the share of pairs in which the first is better; ties count half."""
    p_value: float | None
    """Permutation test over pairs (signs flipped), two-sided."""
    p_adjusted: float | None
    """The same, after Holm's correction for all pairs of arms compared."""
    time_ratio: float
    """Seconds per epoch, first over second: geometric mean over pairs."""
    time_interval: tuple[float, float] | None
    """95%, over pairs (Student's t on logarithms)."""
    verdict: str
    """The headline."""
    more_pairs: int | None
    """How many more pairs would settle it, if the difference stays; 0 if it is settled, None if pairs alone cannot."""


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, each corrected for there being so many (Holm 1979)."""
    if len(p_values) < 2:
        return list(p_values)  # multipletests collects garbage at length
    return [float(p) for p in multipletests(p_values, LEVEL, "holm")[1]]


def bootstrap_means(
    pairs: Sequence[Pair], generator: np.random.Generator, *, over_pairs: bool = True, over_images: bool = True
) -> NDArray[np.float64]:
    """Means of resampled pairs and images, in percentage points, shape (REPLICATES,).

    Each replicate draws pairs with replacement and, in each fold, images with replacement, the same for all of the
    fold's pairs.
    """
    points = np.empty((len(pairs), REPLICATES))
    for fold in sorted({pair.fold for pair in pairs}):
        at = [i for i, pair in enumerate(pairs) if pair.fold == fold]
        differences = np.stack([pairs[i].difference for i in at])
        images = differences.shape[1]
        # Images on which no pair differs add nothing, wherever they are drawn: one column stands for them all.
        differing = differences[:, differences.any(axis=0)].astype(np.float64)
        chances = np.full(differing.shape[1] + 1, 1 / images)
        chances[-1] = 1 - differing.shape[1] / images
        drawn = generator.multinomial(images, chances, REPLICATES)[:, :-1] if over_images else np.ones(
            (REPLICATES, differing.shape[1])
        )  # fmt: skip
        points[at] = 100 * differing @ drawn.T / images
    if not over_pairs:
        return points.mean(axis=0)
    counts = generator.multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), REPLICATES)
    return (counts.T * points).mean(axis=0)


def measure(first: str, second: str, pairs: Sequence[Pair], generator: np.random.Generator) -> Paired:
    """All numbers of a comparison that its own pairs give; the verdict is not among them."""
    points = np.array([pair.points for pair in pairs])
    several = len(pairs) > 1
    means = bootstrap_means(pairs, generator) if several else None
    logs = np.log([pair.time_ratio for pair in pairs])
    return Paired(
        first=first,
        second=second,
        points=points.tolist(),
        difference=float(points.mean()),
        interval=_interval(means, LEVEL),
        equivalence_interval=_interval(means, 2 * LEVEL),
        first_better=float((points > 0).mean() + (points == 0).mean() / 2),
        p_value=_permutation(points, generator) if several else None,
        p_adjusted=None,
        time_ratio=float(np.exp(logs.mean())),
        time_interval=_log_interval(logs),
        verdict="",
        more_pairs=None,
    )


def _interval(means: NDArray[np.float64] | None, level: float) -> tuple[float, float] | None:
    if means is None:
        return None
    low, high = np.quantile(means, [level / 2, 1 - level / 2])
    return float(low), float(high)


def _permutation(points: NDArray[np.float64], generator: np.random.Generator) -> float:
    """Two-sided p-value of a mean of zero: every sign is as likely as its opposite."""
    if not points.any():
        return 1.0
    test = permutation_test(
        (points,), np.mean, permutation_type="samples", vectorized=True, n_resamples=RESAMPLES, rng=generator
    )
    return float(test.pvalue)


def _log_interval(logs: NDArray[np.float64]) -> tuple[float, float] | None:
    if len(logs) < 2:
        return None
    if np.ptp(logs) == 0:
        return float(np.exp(logs[0])), float(np.exp(logs[0]))
    low, high = ttest_1samp(logs, 0).confidence_interval(1 - LEVEL)
    return float(np.exp(low)), float(np.exp(high))
