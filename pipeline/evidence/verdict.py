"""What the pairs of two arms show: which is better, that they are equally good, or that they cannot tell.

The two-way interval decides alone, so a verdict never contradicts the interval beside it. With several arms all
intervals are made at the level of Bonferroni: together they miss a true difference with a probability of 5% at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evidence.epochs import EpochDifference, differences_by_epoch
from pipeline.evidence.intervals import FEWEST_PAIRS, LEVEL, Interval, Spread, spread_of, student_interval
from pipeline.evidence.pairs import Pair

MARGIN = 0.03  # percentage points; closer than this, two activations are as good as each other here


class Verdict(StrEnum):
    """The outcome of a comparison."""

    FIRST_BETTER = "first better"
    SECOND_BETTER = "second better"
    EQUIVALENT = "equally good"
    NOT_SHOWN = "not shown"
    TOO_FEW_PAIRS = "too few pairs"


@dataclass(frozen=True)
class Estimate:
    """The mean of a difference, positive where the first of two arms is better, and its interval."""

    mean: float
    interval: Interval | None
    """Over seeds and images; None with fewer than 3 pairs."""


@dataclass(frozen=True)
class Paired:
    """How the first of two arms compares with the second. Differences in accuracy are in percentage points."""

    first: str
    second: str
    verdict: Verdict
    seeds: list[int]
    """Of each pair, as are the next two."""
    folds: list[int | None]
    points: list[float]
    """Its difference in accuracy."""
    images: int
    """Distinct images that were read."""
    level: float
    """What the intervals miss the truth with: 5%, shared out among all comparisons of arms."""
    difference: float
    """In accuracy over all pairs and images."""
    interval: Interval | None
    """Over seeds and images, decides on a difference; None with fewer than 3 pairs, which hardly show a spread."""
    equivalence_interval: Interval | None
    """The same that misses twice as often: two one-sided tests. Decides on whether they are equally good."""
    first_ahead: int
    """Pairs in which the first is ahead."""
    second_ahead: int
    wrong_probability: Estimate | None
    """Another estimand, the second planned measure: mean probability that the second gives to wrong digits, less that
    of the first, percentage points. It says how sure networks are of what is right; it decides nothing. None where
    only accuracies are known."""
    log_loss: Estimate | None
    """The same of the mean log loss, in nats."""
    by_epoch: list[EpochDifference]
    """The difference in validation accuracy after each epoch; empty without validation rows."""
    time_ratio: float
    """Seconds per epoch, first over second: geometric mean over pairs."""
    time_interval: Interval | None
    """Over pairs (Student's t on logarithms)."""


def compare_pairs(pairs: Mapping[tuple[str, str], Sequence[Pair]]) -> list[Paired]:
    """Compare arms from their pairs; `pairs` by the names of two arms, at least one pair each."""
    return [_paired(arms, group, LEVEL / len(pairs)) for arms, group in pairs.items()]


def judge(spread: Spread, images: int, level: float) -> Verdict:
    """The verdict of some pairs on so many distinct images.

    A difference that is shown, but lies within the margin, counts as equally good: it is too small to matter.
    """
    if spread.pairs < FEWEST_PAIRS:
        return Verdict.TOO_FEW_PAIRS
    low, high = spread.interval(2 * level)
    # What none of n images shows may still befall 3 in n (the rule of three).
    if low > -MARGIN and high < MARGIN and 100 * 3 / images < MARGIN:
        return Verdict.EQUIVALENT
    low, high = spread.interval(level)
    if low > 0:
        return Verdict.FIRST_BETTER
    return Verdict.SECOND_BETTER if high < 0 else Verdict.NOT_SHOWN


def _paired(arms: tuple[str, str], pairs: Sequence[Pair], level: float) -> Paired:
    spread = spread_of([pair.images for pair in pairs], [pair.difference for pair in pairs])
    images = len(np.unique(np.concatenate([pair.images for pair in pairs])))
    logs = np.log([pair.time_ratio for pair in pairs])
    times = student_interval(logs, level)
    points = [pair.points for pair in pairs]
    return Paired(
        first=arms[0],
        second=arms[1],
        verdict=judge(spread, images, level),
        seeds=[pair.seed for pair in pairs],
        folds=[pair.fold for pair in pairs],
        points=points,
        images=images,
        level=level,
        difference=spread.difference,
        interval=_interval(spread, level),
        equivalence_interval=_interval(spread, 2 * level),
        first_ahead=sum(x > 0 for x in points),
        second_ahead=sum(x < 0 for x in points),
        wrong_probability=_estimate(pairs, [pair.wrong_probability for pair in pairs], level),
        log_loss=_estimate(pairs, [pair.log_loss / 100 for pair in pairs], level),
        by_epoch=differences_by_epoch([pair.by_epoch for pair in pairs]),
        time_ratio=float(np.exp(logs.mean())),
        time_interval=(float(np.exp(times[0])), float(np.exp(times[1]))) if times else None,
    )


def _interval(spread: Spread, level: float) -> Interval | None:
    return spread.interval(level) if spread.pairs >= FEWEST_PAIRS else None


def _estimate(pairs: Sequence[Pair], readings: Sequence[NDArray[Any]], level: float) -> Estimate | None:
    """Of readings in percent; None where a pair has none."""
    if not all(len(reading) for reading in readings):
        return None
    spread = spread_of([pair.images for pair in pairs], readings)
    return Estimate(spread.difference, _interval(spread, level))
