"""What members predicted for images whose digit is known: the base of everything that the report shows of errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.evidence.judged import Judges, judged_images
from pipeline.records.members import Member, group_by_arm

BINS = 10  # of equal width over [0, 1]
FEWEST_IN_BIN = 20  # images; a point that stands for fewer says nothing


@dataclass(frozen=True)
class Bin:
    """Predictions of about one confidence."""

    confidence: float
    """Mean probability given to the prediction."""
    accuracy: float
    """Fraction right."""
    images: int
    low: float
    """Of the 95% interval of the accuracy (Wilson 1927)."""
    high: float


@dataclass(frozen=True)
class ScoredImages:
    """Images with their true digits, and the votes on them of members that did not train on them."""

    where: str
    """"held-back" or "validation"."""
    ids: NDArray[np.int64]
    """ImageId of a held-back image, or the row of a labelled one in train.csv, counted from 0; shape (n,)."""
    images: NDArray[np.uint8]
    """Shape (n, 28, 28); empty where only the record of a study is at hand."""
    truth: NDArray[np.uint8]
    """Shape (n,)."""
    votes: dict[str, NDArray[np.float64]]
    """Probabilities of each arm's ensemble, shape (n, 10)."""
    vote: NDArray[np.float64]
    """Probabilities of the ensemble of all members, shape (n, 10)."""
    members: NDArray[np.int64]
    """How many members voted on each image, shape (n,)."""
    right: NDArray[np.int64]
    """How many of them are right by themselves, shape (n,)."""


def score_images(members: Sequence[Member], digits: Digits) -> ScoredImages | None:
    """The members' votes on the held-back images where there are some, else on the validation rows that all arms share.

    Returns:
        None if no image's digit is known, or the arms share no validation row.
    """
    groups = group_by_arm(members)
    judged = judged_images(Judges.BEST, digits, *groups.values())
    if not len(judged):
        return None
    held_back = judged.where is Judges.HELD_BACK
    pictures = digits.test_images if held_back else digits.images
    return ScoredImages(
        where=judged.where,
        ids=digits.image_ids if held_back else judged.numbers,
        images=pictures if held_back or not len(pictures) else pictures[judged.numbers],
        truth=judged.truth,
        votes={arm: judged.vote(group) for arm, group in groups.items()},
        vote=judged.vote(members),
        members=judged.voters(members),
        right=judged.right_alone(members),
    )


def calibration(truth: Any, probabilities: Any, fewest: int = FEWEST_IN_BIN) -> tuple[list[Bin], float]:
    """Reliability of the probabilities given to the predicted digits (Guo et al. 2017, arXiv:1706.04599).

    Args:
        truth: Digits, shape (n,).
        probabilities: Shape (n, 10).
        fewest: Neighbouring bins are joined until each holds so many images, if there are as many.

    Returns:
        The bins, the least confident first; and the expected calibration error: the mean over images of the distance
        between confidence and accuracy in their bin, before any are joined.
    """
    guesses = predicted_labels(probabilities)
    confidence = probabilities[np.arange(len(guesses)), guesses]
    right = guesses == truth
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    parts = [np.flatnonzero(bin_of == b) for b in np.unique(bin_of)]
    error = sum(abs(float((confidence[part] - right[part]).sum())) for part in parts) / len(guesses)
    return [_bin(confidence[part], right[part]) for part in _joined(parts, fewest)], error


def _joined(parts: Sequence[NDArray[np.int64]], fewest: int) -> list[NDArray[np.int64]]:
    """Join each part that is too small with the next; the last, if too small, with the one before."""
    joined: list[NDArray[np.int64]] = [parts[0]]
    for part in parts[1:]:
        if len(joined[-1]) < fewest:
            joined[-1] = np.concatenate([joined[-1], part])
        else:
            joined.append(part)
    if len(joined) > 1 and len(joined[-1]) < fewest:
        joined[-2:] = [np.concatenate(joined[-2:])]
    return joined


def _bin(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Bin:
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return Bin(float(confidence.mean()), float(right.mean()), len(right), float(interval.low), float(interval.high))
