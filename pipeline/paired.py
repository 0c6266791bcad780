"""Paired statistics between two arms: by how much two activations differ, and how sure that is.

A pair is two members of the same seed and fold, which share everything but the activation. What is estimated is the
mean difference in accuracy over all seeds and images, so the interval counts both: seeds, because another seed gives
other networks, and images, because another sample of digits gives other errors.

References: Owen 2007, "The pigeonhole bootstrap" (resampling two crossed factors; its variance is not too small);
Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks" (P(A > B) over paired seeds); Holm
1979, "A simple sequentially rejective multiple test procedure".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, permutation_test, ttest_1samp
from statsmodels.stats.multitest import multipletests

MARGIN = 0.03  # percentage points; closer than this, two activations are as good as each other here
LEVEL = 0.05
REPLICATES = 5000
RESAMPLES = 9999
MOST_PAIRS = 1000  # a need beyond this is no plan


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


def compare_pairs(pairs: Mapping[tuple[str, str], Sequence[Pair]], seed: int = 0) -> list[Paired]:
    """Compare arms from their pairs.

    Args:
        pairs: By the names of two arms, at least one pair each.
        seed: Seed of the bootstrap and of the permutations.
    """
    generator = np.random.default_rng(seed)
    results = [_compare(first, second, list(group), generator) for (first, second), group in pairs.items()]
    adjusted = iter(holm([result.p_value for result in results if result.p_value is not None]))
    results = [r if r.p_value is None else replace(r, p_adjusted=next(adjusted)) for r in results]
    return [_judged(result, list(group)) for result, group in zip(results, pairs.values(), strict=True)]


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


def _compare(first: str, second: str, pairs: list[Pair], generator: np.random.Generator) -> Paired:
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


def _judged(result: Paired, pairs: list[Pair]) -> Paired:
    """Add the headline and what would settle the matter."""
    first, second = result.first, result.second
    if result.interval is None or result.equivalence_interval is None or result.p_adjusted is None:
        verdict = f"{first} against {second}: one pair of networks, which shows no spread and so decides nothing"
        return replace(result, verdict=verdict)
    low, high = result.interval
    if result.p_adjusted < LEVEL and low > 0:
        return replace(result, verdict=f"{first} is better than {second}", more_pairs=0)
    if result.p_adjusted < LEVEL and high < 0:
        return replace(result, verdict=f"{second} is better than {first}", more_pairs=0)
    low, high = result.equivalence_interval
    if low > -MARGIN and high < MARGIN and _can_show_equivalence(pairs):
        verdict = f"{first} and {second} are equivalent within {MARGIN} points"
        return replace(result, verdict=verdict, more_pairs=0)
    verdict = f"no difference between {first} and {second} is shown"
    return replace(result, verdict=verdict, more_pairs=_more_pairs(result.difference, pairs))


def _can_show_equivalence(pairs: Sequence[Pair]) -> bool:
    """Whether there are enough images: what none of n shows may still befall 3 in n (the rule of three)."""
    images = sum({pair.fold: len(pair.difference) for pair in pairs}.values())
    return 100 * 3 / images < MARGIN


def _more_pairs(difference: float, pairs: list[Pair]) -> int | None:
    """Pairs to add until the difference, if it stays, is shown, or equivalence is; None if more images are needed."""
    of_pairs = float(np.var([pair.points for pair in pairs], ddof=1))
    of_images = float(np.var(bootstrap_means(pairs, np.random.default_rng(0), over_pairs=False)))
    ways = [(abs(difference), LEVEL)]
    if _can_show_equivalence(pairs):
        ways.append((MARGIN - abs(difference), 2 * LEVEL))
    needs = []
    for width, level in ways:
        # The interval's half-width is z·sqrt(of_pairs / n + of_images); it has to be below `width`.
        left = (width / norm.ppf(1 - level / 2)) ** 2 - of_images
        if width > 0 and left > 0:
            needs.append(max(math.ceil(of_pairs / left), len(pairs) + 1))
    return min(needs) - len(pairs) if needs and min(needs) <= MOST_PAIRS else None


def describe(result: Paired) -> str:
    """The headline and the numbers behind it."""
    return f"{result.verdict}: {details(result)}"


def details(result: Paired) -> str:
    """The numbers behind the headline, in a sentence or two."""

    def span(interval: tuple[float, float] | None, digits: int) -> str:
        return f" (95% interval {interval[0]:+.{digits}f} to {interval[1]:+.{digits}f})" if interval else ""

    text = f"{result.difference:+.3f} points{span(result.interval, 3)} over {_pairs(len(result.points))}"
    if result.p_adjusted is not None:
        text += f", P({result.first} > {result.second}) = {result.first_better:.2f}, p = {result.p_adjusted:.3g}"
    if result.interval and result.more_pairs is None:
        text += ". More pairs alone would not settle it: it takes more images"
    elif result.more_pairs:
        text += f". If the difference stays, about {_pairs(result.more_pairs, 'more ')} would settle it (--seeds)"
    ratio = f"{result.time_ratio:.2f}" + (
        f" (95% interval {result.time_interval[0]:.2f} to {result.time_interval[1]:.2f})"
        if result.time_interval
        else ""
    )
    return f"{text}. Time per epoch: {ratio} times {result.second}'s."


def _pairs(count: int, more: str = "") -> str:
    return f"{count} {more}pair{'s' if count != 1 else ''}"
