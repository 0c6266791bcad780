"""What the pairs of two arms show: which is better, that they are equal, or that they cannot tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipeline.evidence.epochs import EpochSpan, differences_by_epoch, late_difference
from pipeline.evidence.intervals import LEVEL, Interval, Spread, student_interval, tally, two_way
from pipeline.evidence.pairs import Pair
from pipeline.evidence.power import Power, powers
from pipeline.evidence.sign_flip import fewest_pairs, holm, sign_flip

MARGIN = 0.03  # percentage points; closer than this, two activations are as good as each other here
SOUND_PAIRS = 5  # from here on, intervals cover what they say


class Verdict(StrEnum):
    """The outcome of a comparison."""

    FIRST_BETTER = "first better"
    SECOND_BETTER = "second better"
    EQUIVALENT = "equivalent"
    NOT_SHOWN = "not shown"
    TOO_FEW_PAIRS = "too few pairs"


@dataclass(frozen=True)
class Paired:
    """How the first of two arms compares with the second. Differences in accuracy are in percentage points."""

    first: str
    second: str
    verdict: Verdict
    seeds: list[int]
    """Of each pair, as are the next three."""
    folds: list[int | None]
    points: list[float]
    """Its difference in accuracy."""
    nets: list[int]
    """Images that only the first reads right, less those that only the second does."""
    images: int
    """Distinct images that were read."""
    difference: float
    """In accuracy over all pairs and images."""
    interval: Interval | None
    """95%, over seeds and images; None with a single pair, which shows no spread."""
    equivalence_interval: Interval | None
    """90%, the one that decides on equivalence: two one-sided tests at 5%."""
    first_better: float
    """P(A > B): the share of pairs in which the first is better; ties count half (Bouthillier et al. 2021)."""
    p_value: float
    """Sign-flip test over pairs, two-sided, raw."""
    p_adjusted: float
    """The same after Holm's correction for all arms compared; decides on the verdict."""
    fewest_pairs: int
    """With fewer pairs than these, no difference can be shown."""
    powers: list[Power]
    """The chance to show a true difference of 0.03 and of 0.05 points; empty with a single pair."""
    by_epoch: list[EpochSpan]
    """The difference in validation accuracy after each epoch; empty without validation rows."""
    late: EpochSpan | None
    """The same on average over the last third of the epochs; None where the learning rate fell to zero."""
    time_ratio: float
    """Seconds per epoch, first over second: geometric mean over pairs."""
    time_interval: Interval | None
    """95%, over pairs (Student's t on logarithms)."""


def compare_pairs(pairs: Mapping[tuple[str, str], Sequence[Pair]]) -> list[Paired]:
    """Compare arms from their pairs; `pairs` by the names of two arms, at least one pair each."""
    p_values = [sign_flip([pair.net for pair in group]) for group in pairs.values()]
    return [
        _paired(arms, group, p_value, p_adjusted, len(pairs))
        for (arms, group), p_value, p_adjusted in zip(pairs.items(), p_values, holm(p_values), strict=True)
    ]


def judge(spread: Spread, images: int, p_adjusted: float, tests: int) -> Verdict:
    """The verdict of two or more pairs on so many distinct images, one of so many tests.

    A difference takes both the test over pairs and an interval clear of zero. That interval has the degrees of freedom
    of the pairs alone: with those of the interval shown, up to 7% of simulated studies found a difference where there
    was none.
    """
    low, high = spread.interval(degrees=spread.pairs - 1)
    if p_adjusted < LEVEL and low > 0:
        return Verdict.FIRST_BETTER
    if p_adjusted < LEVEL and high < 0:
        return Verdict.SECOND_BETTER
    low, high = spread.interval(2 * LEVEL)
    # What none of n images shows may still befall 3 in n (the rule of three).
    if spread.pairs >= SOUND_PAIRS and low > -MARGIN and high < MARGIN and 100 * 3 / images < MARGIN:
        return Verdict.EQUIVALENT
    return Verdict.TOO_FEW_PAIRS if spread.pairs < fewest_pairs(tests) else Verdict.NOT_SHOWN


def _paired(arms: tuple[str, str], pairs: Sequence[Pair], p_value: float, p_adjusted: float, tests: int) -> Paired:
    points = np.array([pair.points for pair in pairs])
    sums = tally([pair.images for pair in pairs], [pair.difference for pair in pairs])
    images = len(np.unique(np.concatenate([pair.images for pair in pairs])))
    spread = two_way(sums) if len(pairs) > 1 else None
    curves = [pair.by_epoch for pair in pairs]
    logs = np.log([pair.time_ratio for pair in pairs])
    time_interval = student_interval(logs)
    return Paired(
        first=arms[0],
        second=arms[1],
        verdict=judge(spread, images, p_adjusted, tests) if spread else Verdict.TOO_FEW_PAIRS,
        seeds=[pair.seed for pair in pairs],
        folds=[pair.fold for pair in pairs],
        points=points.tolist(),
        nets=[pair.net for pair in pairs],
        images=images,
        difference=float(100 * sums.nets.sum() / sums.images.sum()),
        interval=_floats(spread.interval()) if spread else None,
        equivalence_interval=_floats(spread.interval(2 * LEVEL)) if spread else None,
        first_better=float((points > 0).mean() + (points == 0).mean() / 2),
        p_value=p_value,
        p_adjusted=p_adjusted,
        fewest_pairs=fewest_pairs(tests),
        powers=powers(spread, tests) if spread else [],
        by_epoch=differences_by_epoch(curves),
        late=None if all(pair.is_settled for pair in pairs) else late_difference(curves),
        time_ratio=float(np.exp(logs.mean())),
        time_interval=(float(np.exp(time_interval[0])), float(np.exp(time_interval[1]))) if time_interval else None,
    )


def _floats(interval: Interval) -> Interval:
    low, high = interval
    return float(low), float(high)
