"""Whether unequal votes are worth it: judged on images that the weights were not fitted on.

On validation rows this takes nested cross-validation: the weights of each part are fitted on the others. Held-back
images judge the weights that were fitted on all validation rows. Where there are no validation rows, nested
cross-validation on the held-back images tells what weights could do; no submission may use those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.ensemble.voters import Voters
from pipeline.ensemble.weights import METHODS, probabilities_of_truth
from pipeline.evidence.intervals import Interval, one_way, tally

PARTS = 5  # of the nested cross-validation
FEWEST_ROWS = 100  # fewer say nothing about weights
Weigh = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Selection:
    """A way of weighing votes, judged against equal votes."""

    method: str
    weights: dict[str, float]
    """Fitted on all validation rows; of each voter, as "swish, seed 3". Empty without such rows."""
    gain: float
    """In accuracy over equal votes, in percentage points, on images that the weights were not fitted on."""
    interval: Interval
    """95%, over images: for these networks."""
    validation_images: int
    """Images that it is judged on, of the validation rows."""
    held_back_images: int
    """The same, of the held-back images."""
    validation_interval: Interval | None
    """The interval of the gain on the validation rows alone; None without them."""

    @property
    def recommended(self) -> bool:
        """Whether the gain on the validation rows clears its interval: held-back labels choose nothing."""
        return self.validation_interval is not None and self.validation_interval[0] > 0


def judge_selections(voters: Voters, held_back: NDArray[np.uint8] | None) -> list[Selection]:
    """Every method against equal votes; none with too few images to fit on or to judge by.

    Args:
        voters: The run's voters.
        held_back: Digits of the test images, shape (m,), where they are known.
    """
    return [found for method, weigh in METHODS.items() if (found := _judge(method, weigh, voters, held_back))]


def _judge(method: str, weigh: Weigh, voters: Voters, held_back: NDArray[np.uint8] | None) -> Selection | None:
    weights = None
    validation = no_rows = np.empty(0, np.int8)
    if len(voters.truth) >= FEWEST_ROWS:
        weights = weigh(probabilities_of_truth(voters.probabilities, voters.truth))
        validation = _nested(weigh, voters.probabilities, voters.truth)
    if held_back is None or len(held_back) < FEWEST_ROWS:
        judged = no_rows
    elif weights is not None:
        judged = _against_equal(weights, voters.test_probabilities, held_back)
    else:
        judged = _nested(weigh, voters.test_probabilities, held_back)
    readings = np.concatenate([validation, judged])
    if not len(readings):
        return None
    gain, interval = _gain(readings)
    return Selection(
        method=method,
        weights={} if weights is None else voters.named(weights),
        gain=gain,
        interval=interval,
        validation_images=len(validation),
        held_back_images=len(judged),
        validation_interval=_gain(validation)[1] if len(validation) else None,
    )


def _gain(readings: NDArray[np.int8]) -> tuple[float, Interval]:
    """The mean of `_against_equal` in percentage points, and its 95% interval over images."""
    spread = one_way(tally([np.arange(len(readings))], [readings]))
    low, high = spread.interval()
    return float(spread.difference), (float(low), float(high))


def _nested(weigh: Weigh, probabilities: NDArray[np.float64], truth: NDArray[np.uint8]) -> NDArray[np.int8]:
    """`_against_equal` for each part of the images, with the weights that the others give."""
    readings = np.zeros(len(truth), np.int8)
    of_truth = probabilities_of_truth(probabilities, truth)
    for fitted, judged in KFold(PARTS, shuffle=True, random_state=0).split(truth):
        readings[judged] = _against_equal(weigh(of_truth[:, fitted]), probabilities[:, judged], truth[judged])
    return readings


def _against_equal(weights: Any, probabilities: NDArray[np.float64], truth: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Per image: 1 where only the weighted vote is right, -1 where only the equal one is, else 0."""
    weighted, equal = (
        predicted_labels(np.tensordot(w, probabilities, axes=1)) == truth
        for w in (weights, np.full(len(weights), 1 / len(weights)))
    )
    return weighted.astype(np.int8) - equal.astype(np.int8)
