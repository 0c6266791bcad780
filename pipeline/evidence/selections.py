"""Whether unequal votes are worth it, judged by nested cross-validation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.ensemble.voters import Voters
from pipeline.ensemble.weights import METHODS, _of_truth

PARTS = 5  # of the nested cross-validation


FEWEST_ROWS = 100  # fewer say nothing of weights


BOOTSTRAPS = 9999


@dataclass(frozen=True)
class Selection:
    """A way of weighing votes, judged against equal votes."""

    method: str
    weights: dict[str, float]
    """Fitted on all rows; of each voter, as "swish, seed 3"."""
    gain: float
    """In accuracy over equal votes, in percentage points, on rows that the weights were not fitted on."""
    interval: tuple[float, float]
    """95%, over images: for these networks."""
    images: int

    @property
    def recommended(self) -> bool:
        """Whether the gain clears its interval."""
        return self.interval[0] > 0


def judge_selections(voters: Voters) -> list[Selection]:
    """Every method against equal votes; none with too few rows to fit on."""
    rows = len(voters.truth)
    if rows < FEWEST_ROWS:
        return []
    of_truth = _of_truth(voters)
    equal = predicted_labels(voters.probabilities.mean(axis=0)) == voters.truth
    found = []
    for method, weigh in METHODS.items():
        right = np.zeros(rows, bool)
        for fitted, judged in KFold(PARTS, shuffle=True, random_state=0).split(equal):
            vote = np.tensordot(weigh(of_truth[:, fitted]), voters.probabilities[:, judged], axes=1)
            right[judged] = predicted_labels(vote) == voters.truth[judged]
        gain, interval = _gain(right, equal)
        weights = {
            f"{arm}, seed {seed}": round(float(w), 4)
            for (arm, seed), w in zip(voters.names, weigh(of_truth), strict=True)
        }
        found.append(Selection(method, weights, gain, interval, rows))
    return found


def _gain(right: NDArray[np.bool_], equal: NDArray[np.bool_]) -> tuple[float, tuple[float, float]]:
    """Difference in accuracy, in percentage points, and its 95% percentile bootstrap interval over images."""
    better, worse, rows = int((right & ~equal).sum()), int((equal & ~right).sum()), len(right)
    # Of a resample of the images only these three counts matter.
    shares = [better / rows, worse / rows, (rows - better - worse) / rows]
    counts = np.random.default_rng(0).multinomial(rows, shares, BOOTSTRAPS)
    low, high = np.quantile((counts[:, 0] - counts[:, 1]) * 100 / rows, [0.025, 0.975])
    return 100 * (better - worse) / rows, (float(low), float(high))
