"""What a study can show before it is tried: the chance to find a difference of a given size, and the pairs it takes."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from pipeline.evidence.intervals import LEVEL, Spread
from pipeline.evidence.sign_flip import fewest_pairs

EFFECTS = (0.03, 0.05)  # true differences, in percentage points
WANTED = 0.8  # the power that a study is usually planned for
MOST_PAIRS = 1000  # a need beyond this is no plan


@dataclass(frozen=True)
class Power:
    """What a study shows of a true difference, judged by the variance at hand."""

    effect: float
    """The true difference, percentage points."""
    power: float
    """The chance that this study shows it."""
    pairs_needed: int | None
    """The fewest pairs on these images that show it with a chance of 80%; None if 1,000 do not."""


def powers(spread: Spread, tests: int) -> list[Power]:
    """The power for each of EFFECTS, with Holm's correction for so many tests at its strictest."""
    return [Power(effect, power(effect, spread, spread.pairs, tests), _needed(effect, spread, tests))
            for effect in EFFECTS]  # fmt: skip


def power(effect: float, spread: Spread, pairs: int, tests: int = 1) -> float:
    """The chance that so many pairs show a true difference.

    That is, that the interval which `judge` asks for is clear of zero, if its standard error is the one at hand. In
    simulated studies this is within 8 points of the share of verdicts (docs/study.md).
    """
    if pairs < fewest_pairs(tests):
        return 0.0
    error = np.sqrt(spread.shared + spread.own * spread.pairs / pairs)
    return float(norm.sf(t.ppf(1 - LEVEL / tests / 2, pairs - 1) - effect / error))


def _needed(effect: float, spread: Spread, tests: int) -> int | None:
    """By bisection: more pairs never have less power."""
    low, high = fewest_pairs(tests), MOST_PAIRS
    if power(effect, spread, high, tests) < WANTED:
        return None
    while low < high:
        middle = (low + high) // 2
        if power(effect, spread, middle, tests) < WANTED:
            low = middle + 1
        else:
            high = middle
    return low
