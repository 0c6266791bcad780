"""Exact McNemar tests between the networks at hand: the images that only one of two arms reads right.

McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import out_of_fold, predicted_labels, soft_vote
from pipeline.evidence.fairness import partners
from pipeline.evidence.sign_flip import holm
from pipeline.records.members import Member


@dataclass(frozen=True)
class McNemar:
    """Exact McNemar test between two arms: the images that only one gets right.

    Of each arm, those members vote that have a partner of the same seed and fold in the other.
    """

    first: str
    second: str
    rows: str
    """"validation" or "held back"."""
    only_first_right: int
    only_second_right: int
    p_value: float
    """Raw, two-sided; of the hypothesis that the two are equally likely to be the one that is right."""
    p_adjusted: float
    """The same, after Holm's correction for all arms compared on these rows."""


def mcnemar_tests(groups: Mapping[str, Sequence[Member]], digits: Digits) -> list[McNemar]:
    """The tests between each two arms that have partners, on their validation rows and on the held-back images."""
    counts = [
        (first, second, rows, *_only_right(*right))
        for (first, a), (second, b) in combinations(groups.items(), 2)
        for rows, right in _readings(partners(a, b), digits).items()
    ]
    p_values = [mcnemar_p(only_first, only_second) for *_, only_first, only_second in counts]
    adjusted: dict[int, float] = {}
    for rows in {count[2] for count in counts}:
        at = [i for i, count in enumerate(counts) if count[2] == rows]
        adjusted |= dict(zip(at, holm([p_values[i] for i in at]), strict=True))
    return [McNemar(*count, p_values[i], adjusted[i]) for i, count in enumerate(counts)]


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of two counts: the images that only one of two networks, or votes, reads right.

    >>> mcnemar_p(0, 5)
    0.0625
    """
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def _only_right(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[int, int]:
    """On how many images only the first is right, and only the second."""
    return int((first & ~second).sum()), int((second & ~first).sum())


def _readings(pairs: Sequence[tuple[Member, Member]], digits: Digits) -> dict[str, tuple[Any, Any]]:
    """Whether the votes of the first members, and of the second, are right: by the kind of rows, per image."""
    if not pairs:
        return {}
    found = {}
    a, b = zip(*pairs, strict=True)
    (rows_a, votes_a), (rows_b, votes_b) = out_of_fold(a), out_of_fold(b)
    if len(rows_a) and rows_a.tolist() == rows_b.tolist():
        truth = digits.labels[rows_a]
        found["validation"] = (predicted_labels(votes_a) == truth, predicted_labels(votes_b) == truth)
    if (known := digits.held_back_labels) is not None:
        votes_a, votes_b = (soft_vote([m.test_probabilities for m in group]) for group in (a, b))
        found["held back"] = (predicted_labels(votes_a) == known, predicted_labels(votes_b) == known)
    return found
