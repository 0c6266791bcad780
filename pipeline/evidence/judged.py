"""Which images judge networks, and who reads them right: the one owner of both.

An image judges the networks that did not train on it, if its digit is known: a validation row of their fold, or an
image to predict whose digit is held back. Everything that is said of errors begins here, with a policy by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import CLASSES, Digits
from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.records.members import Member
from pipeline.records.scores import TINY, Score


class Judges(StrEnum):
    """A policy: which images judge."""

    VALIDATION = "validation"
    """The labelled rows that every group predicted out of fold. A group is members that are judged by one vote."""
    HELD_BACK = "held-back"
    """The images to predict, where their digits are known."""
    BEST = "held-back, else validation"
    """One kind, for scores and pictures: the held-back images, on which all members vote, else the validation rows."""
    BOTH = "validation and held-back"
    """Both kinds alike, for differences: the more images, the closer the interval."""


@dataclass(frozen=True)
class JudgedImages:
    """Images whose digit is known, and the votes on them of those that did not train on them."""

    where: Judges
    """VALIDATION, HELD_BACK or BOTH."""
    numbers: NDArray[np.int64]
    """Of each image in the whole data, ascending, shape (n,): a labelled row by its row; held-back images follow."""
    truth: NDArray[np.uint8]
    """Their digits, shape (n,)."""
    labelled: int
    """How many labelled rows there are in the whole data."""

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.numbers)

    def voters(self, members: Sequence[Member]) -> NDArray[np.int64]:
        """How many of these members vote on each image, int64 of shape (n,)."""
        counts = np.zeros(len(self), np.int64)
        for member in members:
            counts[self._predictions(member)[0]] += 1
        return counts

    def vote(self, members: Sequence[Member]) -> NDArray[np.float64]:
        """The mean of the probabilities of those that did not train on an image, float64 of shape (n, 10)."""
        total, votes = np.zeros((len(self), CLASSES)), np.zeros((len(self), 1))
        for member in members:
            at, probabilities = self._predictions(member)
            total[at] += probabilities
            votes[at] += 1
        return total / votes

    def right(self, members: Sequence[Member]) -> NDArray[np.bool_]:
        """Whether the members' vote is right, shape (n,)."""
        return np.asarray(predicted_labels(self.vote(members)) == self.truth)

    def score(self, members: Sequence[Member]) -> Score:
        """The score of the members' vote."""
        return Score(len(self), int((~self.right(members)).sum()))

    def _predictions(self, member: Member) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Where a member predicts these images, and its probabilities there."""
        split = np.searchsorted(self.numbers, self.labelled)
        _, rows, own = np.intersect1d(self.numbers[:split], member.validation_rows, True, return_indices=True)
        held_back = member.test_probabilities[self.numbers[split:] - self.labelled]
        at = np.concatenate([rows, np.arange(split, len(self))])
        return at, np.concatenate([member.validation_probabilities[own], held_back])


def judged_images(judges: Judges, digits: Digits, *groups: Sequence[Member]) -> JudgedImages:
    """The images on which each of the groups can be judged, by a policy; at least one group, none of them empty."""
    held_back = digits.labels[:0] if digits.held_back_labels is None else digits.held_back_labels
    if judges is Judges.BEST:
        judges = Judges.VALIDATION if digits.held_back_labels is None else Judges.HELD_BACK
    rows = digits.labels[:0].astype(np.int64)
    if judges is not Judges.HELD_BACK:
        rows = reduce(np.intersect1d, [np.concatenate([m.validation_rows for m in group]) for group in groups])
    others = np.arange(0 if judges is Judges.VALIDATION else len(held_back))
    numbers = np.concatenate([np.unique(rows), len(digits.labels) + others])
    return JudgedImages(judges, numbers, np.concatenate([digits.labels, held_back])[numbers], len(digits.labels))


def wrong_probabilities(probabilities: Any, truth: Any) -> NDArray[np.float64]:
    """The probability that goes to wrong digits, per image, from probabilities (n, 10) and digits (n,); shape (n,).

    As a sum of small numbers, which half precision keeps: it rounds 1 - p(right) away where networks are sure.
    """
    wrong = np.array(probabilities, np.float64)
    wrong[np.arange(len(truth)), truth] = 0
    return np.asarray(wrong.sum(axis=1))


def log_losses(probabilities: Any, truth: Any) -> NDArray[np.float64]:
    """The log loss per image, in nats; shapes as of `wrong_probabilities`."""
    right = np.asarray(probabilities, np.float64)[np.arange(len(truth)), truth]
    sure = np.where(right < 0.5, right, 1 - wrong_probabilities(probabilities, truth))
    return -np.log(np.maximum(sure, TINY))
