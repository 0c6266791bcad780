"""Voters, and the rows that all of them predicted.

A voter is all members of one arm and seed. Over the folds they predict every row that they did not train on, so voters
can be weighed on the same rows.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import out_of_fold, soft_vote
from pipeline.records.members import Member


@dataclass(frozen=True)
class Voters:
    """Two or more voters."""

    names: list[tuple[str, int]]
    """Arm and seed of each."""
    truth: NDArray[np.uint8]
    """Digits of the rows that every voter predicted out of fold, shape (n,); empty where there are none."""
    probabilities: NDArray[np.float64]
    """Out-of-fold, shape (voters, n, 10)."""
    test_probabilities: NDArray[np.float64]
    """Each the vote of its members, shape (voters, m, 10)."""

    def vote(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Their weighted vote on the test images, shape (m, 10); weights of shape (voters,)."""
        return np.tensordot(weights, self.test_probabilities, axes=1)

    def named(self, weights: NDArray[np.float64]) -> dict[str, float]:
        """Weights, shape (voters,), by names such as "swish, seed 3"."""
        return {f"{arm}, seed {seed}": round(float(w), 4) for (arm, seed), w in zip(self.names, weights, strict=True)}


def voters_of(members: Sequence[Member], digits: Digits) -> Voters | None:
    """All voters; None if there are not two."""
    groups: dict[tuple[str, int], list[Member]] = defaultdict(list)
    for member in members:
        groups[member.arm, member.spec.seed].append(member)
    parts = {name: out_of_fold(group) for name, group in groups.items()}
    if len(parts) < 2:
        return None
    common: NDArray[np.int64] = reduce(np.intersect1d, [rows for rows, _ in parts.values()])
    return Voters(
        list(parts),
        digits.labels[common],
        np.array([probabilities[np.searchsorted(rows, common)] for rows, probabilities in parts.values()]),
        np.array([soft_vote([m.test_probabilities for m in group]) for group in groups.values()]),
    )
