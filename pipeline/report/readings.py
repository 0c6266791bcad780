"""What the votes read on images that can be shown: those of known digit, and those to predict."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import CLASSES, Digits
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.evidence.judged import Judges, judged_images
from pipeline.records.members import Member, group_by_arm


@dataclass(frozen=True)
class Readings:
    """Images, and the votes on them of networks that did not train on them."""

    where: str
    """held-back, validation or unlabelled."""
    id_name: str
    """What the ids are: ImageId, or train_row, which counts the rows of train.csv from 0, as pandas does."""
    ids: NDArray[np.int64]
    """Shape (n,)."""
    images: NDArray[np.uint8]
    """Shape (n, 28, 28); empty where only the record of a study is at hand."""
    truth: NDArray[np.uint8]
    """Shape (n,); (0,) where nobody knows."""
    votes: dict[str, NDArray[np.float64]]
    """Probabilities of each arm's vote, shape (n, 10)."""
    vote: NDArray[np.float64]
    """Probabilities of the vote of all, shape (n, 10)."""

    @property
    def guesses(self) -> NDArray[np.int64]:
        """What the vote of all reads, shape (n,)."""
        return predicted_labels(self.vote)

    @property
    def certainty(self) -> NDArray[np.float64]:
        """The probability that the vote of all gives to it, shape (n,)."""
        return self.vote.max(axis=1)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """How often the vote of all reads a digit, by row, as another, by column; shape (10, 10)."""
        matrix = np.zeros((CLASSES, CLASSES), np.int64)
        np.add.at(matrix, (self.truth, self.guesses), 1)
        return matrix

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """Where the vote of all is wrong, the surest mistakes first."""
        wrong = np.flatnonzero(self.guesses != self.truth)
        return wrong[np.argsort(-self.certainty[wrong], kind="stable")]


def known_readings(members: Sequence[Member], digits: Digits) -> Readings | None:
    """The votes on the held-back images where there are some, else on the validation rows that all arms share.

    Returns:
        None if no image's digit is known, or the arms share no validation row.
    """
    groups = group_by_arm(members)
    judged = judged_images(Judges.BEST, digits, *groups.values())
    if not len(judged):
        return None
    held_back = judged.where is Judges.HELD_BACK
    pictures = digits.test_images if held_back else digits.images
    return Readings(
        where=judged.where,
        id_name="ImageId" if held_back else "train_row",
        ids=digits.image_ids if held_back else judged.numbers,
        images=pictures if held_back or not len(pictures) else pictures[judged.numbers],
        truth=judged.truth,
        votes={arm: judged.vote(group) for arm, group in groups.items()},
        vote=judged.vote(members),
    )


def unlabelled_readings(members: Sequence[Member], digits: Digits) -> Readings | None:
    """The votes on the images to predict; None if their digits are known, or they are not at hand."""
    if digits.held_back_labels is not None or not len(digits.test_images):
        return None
    groups = {**group_by_arm(members), "all": members}
    votes = {name: soft_vote([member.test_probabilities for member in group]) for name, group in groups.items()}
    return Readings(
        where="unlabelled",
        id_name="ImageId",
        ids=digits.image_ids,
        images=digits.test_images,
        truth=digits.labels[:0],
        vote=votes.pop("all"),
        votes=votes,
    )
