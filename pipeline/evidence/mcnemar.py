"""Exact McNemar tests between the networks at hand: the images that only one of two arms reads right.

McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages".
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from scipy.stats import binomtest

from pipeline.data.digits import Digits
from pipeline.evidence.fairness import partners
from pipeline.evidence.judged import Judges, judged_images
from pipeline.records.members import Member


@dataclass(frozen=True)
class McNemar:
    """Exact McNemar test between two arms: the images that only one gets right.

    Of each arm, those members vote that have a partner of the same seed and fold in the other.
    """

    first: str
    second: str
    rows: str
    """"validation" or "held-back"."""
    only_first_right: int
    only_second_right: int
    p_value: float
    """Raw, two-sided; of the hypothesis that the two are equally likely to be the one that is right."""
    p_adjusted: float
    """The same, after Bonferroni's correction for all arms compared on these rows."""


def mcnemar_tests(groups: Mapping[str, Sequence[Member]], digits: Digits) -> list[McNemar]:
    """The tests between each two arms that have partners, on their validation rows and on the held-back images."""
    counts = [
        (first, second, str(rows), *only_right)
        for (first, a), (second, b) in combinations(groups.items(), 2)
        if (pairs := partners(a, b))
        for rows in (Judges.VALIDATION, Judges.HELD_BACK)
        if (only_right := _only_right(rows, pairs, digits))
    ]
    tests = Counter(rows for _, _, rows, *_ in counts)
    p_values = [mcnemar_p(*only_right) for _, _, _, *only_right in counts]
    return [McNemar(*count, p, min(1, p * tests[count[2]])) for count, p in zip(counts, p_values, strict=True)]


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of two counts: the images that only one of two networks, or votes, reads right.

    >>> mcnemar_p(0, 5)
    0.0625
    """
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def _only_right(rows: Judges, pairs: Sequence[tuple[Member, Member]], digits: Digits) -> tuple[int, int] | None:
    """On how many images only the vote of the first members is right, and only that of the second; None without any."""
    a, b = zip(*pairs, strict=True)
    images = judged_images(rows, digits, a, b)
    first, second = images.right(a), images.right(b)
    return (int((first & ~second).sum()), int((second & ~first).sum())) if len(images) else None
