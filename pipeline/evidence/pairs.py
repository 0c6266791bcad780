"""Pairs of networks: two members of the same seed and fold, which share everything but the activation.

A pair reads its fold's validation rows and, where their digits are known, the held-back images. Validation rows are
those of one fold, held-back images are common to all pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.evidence.fairness import partners
from pipeline.evidence.judged import Judges, judged_images, log_losses, wrong_probabilities
from pipeline.records.members import Member


@dataclass(frozen=True)
class Pair:
    """What two networks of one seed and fold read of the same images."""

    seed: int
    fold: int | None
    images: NDArray[np.int64]
    """The images that they read, as `JudgedImages` numbers them, shape (v,)."""
    difference: NDArray[np.int8]
    """Per image: 1 where only the first is right, -1 where only the second is, else 0; shape (v,)."""
    wrong_probability: NDArray[np.float64]
    """Per image: the probability that the second gives to wrong digits, less that of the first; shape (v,). Empty, as
    is the next, where only accuracies are known."""
    log_loss: NDArray[np.float64]
    """The same of the log loss, in nats."""
    time_ratio: float
    """Seconds per epoch, first over second."""
    by_epoch: NDArray[np.float64]
    """First minus second validation accuracy after each epoch, percentage points; empty if not both recorded it."""

    @property
    def points(self) -> float:
        """Difference in accuracy, in percentage points."""
        return 100 * int(self.difference.sum(dtype=np.int64)) / len(self.images)


def pairs_of(groups: Mapping[str, Sequence[Member]], digits: Digits) -> dict[tuple[str, str], list[Pair]]:
    """The pairs of each two arms, the later arm first; only arms that have some, on images of known digit."""
    pairs = {}
    for (second, theirs), (first, ours) in combinations(groups.items(), 2):
        found = [pair for one, other in partners(ours, theirs) if (pair := _pair(one, other, digits))]
        if found:
            pairs[first, second] = found
    return pairs


def _pair(first: Member, second: Member, digits: Digits) -> Pair | None:
    images = judged_images(Judges.BOTH, digits, [first], [second])
    if not len(images):
        return None
    ours, theirs = images.vote([first]), images.vote([second])
    right = [(predicted_labels(vote) == images.truth).astype(np.int8) for vote in (ours, theirs)]
    return Pair(
        seed=first.spec.seed,
        fold=first.spec.fold,
        images=images.numbers,
        difference=right[0] - right[1],
        wrong_probability=wrong_probabilities(theirs, images.truth) - wrong_probabilities(ours, images.truth),
        log_loss=log_losses(theirs, images.truth) - log_losses(ours, images.truth),
        time_ratio=median(first.seconds_per_epoch) / median(second.seconds_per_epoch),
        by_epoch=_accuracy_differences(first.history, second.history),
    )


def _accuracy_differences(first: Sequence[Any], second: Sequence[Any]) -> NDArray[np.float64]:
    """By epoch, from two histories of one length."""
    ours, theirs = ([r["validation_accuracy"] for r in h if "validation_accuracy" in r] for h in (first, second))
    return 100 * (np.array(ours) - np.array(theirs)) if len(ours) == len(theirs) else np.empty(0)
