"""Who can vote together.

A voter is all members of one arm and seed. Over the folds they predict every row that they did not train on, so voters
can be weighed on the same rows.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import out_of_fold, soft_vote
from pipeline.records.members import Member


@dataclass(frozen=True)
class Voters:
    """The voters of a run that predicted the same rows."""

    names: list[tuple[str, int]]
    """Arm and seed of each."""
    truth: NDArray[np.uint8]
    """Digits of the rows, shape (n,); empty where all members trained on all rows."""
    probabilities: NDArray[np.float64]
    """Out-of-fold, shape (voters, n, 10)."""
    test_probabilities: NDArray[np.float64]
    """Each the vote of its members, shape (voters, m, 10)."""


def voters_of(members: Sequence[Member], digits: Digits) -> Voters | None:
    """The voters that predicted most rows; None if there are not two."""
    groups: dict[tuple[str, int], list[Member]] = defaultdict(list)
    for member in members:
        groups[member.arm, member.spec.seed].append(member)
    parts = {name: out_of_fold(group) for name, group in groups.items()}
    widest = max((rows for rows, _ in parts.values()), key=len)
    names = [name for name, (rows, _) in parts.items() if np.array_equal(rows, widest)]
    if len(names) < 2:
        return None
    return Voters(
        names,
        digits.labels[widest],
        np.array([parts[name][1] for name in names]),
        np.array([soft_vote([m.test_probabilities for m in groups[name]]) for name in names]),
    )
