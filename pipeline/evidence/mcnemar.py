"""Exact McNemar tests between the networks at hand: the images that only one of two arms reads right.

McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from scipy.stats import binomtest

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import out_of_fold, predicted_labels, soft_vote
from pipeline.evidence.fairness import partners
from pipeline.evidence.pairs import holm
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
    """Two-sided; of the hypothesis that the two are equally likely to be the one that is right."""
    p_adjusted: float
    """The same, after Holm's correction for all arms compared on these rows."""


def mcnemar_tests(groups: Mapping[str, Sequence[Member]], digits: Digits) -> list[McNemar]:
    """The tests between each two arms that have partners, on their validation rows and on the held-back images."""
    tests = [
        test
        for (first, a), (second, b) in combinations(groups.items(), 2)
        for test in _tests(first, second, partners(a, b), digits)
    ]
    adjusted = {
        rows: iter(holm([test.p_value for test in tests if test.rows == rows])) for rows in {t.rows for t in tests}
    }
    return [replace(test, p_adjusted=next(adjusted[test.rows])) for test in tests]


def mcnemar(first: str, second: str, rows: str, first_right: Any, second_right: Any) -> McNemar:
    """Exact McNemar test from two boolean arrays, shape (n,): whether each image was predicted right."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    discordant = only_first + only_second
    p_value = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemar(first, second, rows, only_first, only_second, p_value, p_value)


def _tests(first: str, second: str, pairs: Sequence[tuple[Member, Member]], digits: Digits) -> list[McNemar]:
    if not pairs:
        return []
    tests = []
    a, b = zip(*pairs, strict=True)
    (rows_a, validation_a), (rows_b, validation_b) = out_of_fold(a), out_of_fold(b)
    if len(rows_a) and rows_a.tolist() == rows_b.tolist():
        truth = digits.labels[rows_a]
        right_a, right_b = predicted_labels(validation_a) == truth, predicted_labels(validation_b) == truth
        tests.append(mcnemar(first, second, "validation", right_a, right_b))
    if (known := digits.held_back_labels) is not None:
        right_a, right_b = (predicted_labels(soft_vote([m.test_probabilities for m in g])) == known for g in (a, b))
        tests.append(mcnemar(first, second, "held back", right_a, right_b))
    return tests
