"""What a run or a comparison of runs came to: all that its report is made of."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import RunConfig
from pipeline.data.digits import TEST_IMAGES, Digits
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.evidence.comparison import Comparison
from pipeline.records.members import Member
from pipeline.records.run_folder import RunFolder
from pipeline.records.scores import Score
from pipeline.report.answer import Answer, answer
from pipeline.report.readings import Readings, known_readings, unlabelled_readings


@dataclass(frozen=True)
class Findings:
    """Of one run, or of several that are compared."""

    configs: Sequence[RunConfig]
    digits: Digits
    members: Sequence[Member]
    comparison: Comparison
    note: str = ""
    """What nobody should overlook, such as that networks are missing."""
    missing: int = 0
    """Networks that are not there, because they failed or were left out."""
    folder: RunFolder | None = None
    """The folder with the submission; None where runs are compared."""
    seconds: float = 0.0
    """Wall-clock seconds of the command."""
    trained: int = 0
    """Networks that it trained; the others were there before."""
    rate: float | None = None
    """Training images per second of this machine, all networks that train at a time together; None if not measured."""

    @cached_property
    def answer(self) -> Answer:
        """Which activation to take; in images of the competition where a study's record has none to predict."""
        return answer(self.comparison, len(self.digits.image_ids) or TEST_IMAGES)

    @cached_property
    def known(self) -> Readings | None:
        """The votes on images of known digit; None if there are none."""
        return known_readings(self.members, self.digits)

    @cached_property
    def unlabelled(self) -> Readings | None:
        """The votes on the images to predict, where nobody knows their digits."""
        return unlabelled_readings(self.members, self.digits)

    @cached_property
    def vote(self) -> NDArray[np.float64]:
        """Probabilities of the images to predict, shape (m, 10)."""
        return soft_vote([member.test_probabilities for member in self.members])

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The labels of the submission, shape (m,)."""
        return predicted_labels(self.vote)

    @cached_property
    def apart(self) -> NDArray[np.bool_]:
        """Which of its images each network reads otherwise than the vote of all, shape (networks, m)."""
        return np.array([predicted_labels(m.test_probabilities) != self.predicted for m in self.members])

    @property
    def score(self) -> tuple[str, Score] | None:
        """What the vote of all makes, and on which kind of images; None if no digit is known."""
        vote = self.comparison.ensembles[-1]
        if vote.held_back:
            return "held-back", vote.held_back
        return ("validation", vote.validation) if vote.validation else None

    @property
    def recorded_score(self) -> dict[str, Any] | None:
        """The same as submission.json has it, in the form of a blend's."""
        return {"where": self.score[0], "whole": asdict(self.score[1])} if self.score else None

    @property
    def rate_of_one(self) -> float:
        """Training images per second of a single network, the median over all epochs but the first ones."""
        rates = []
        for member in self.members:
            batch = member.spec.recipe.train.batch_size
            images = (len(self.digits.labels) - len(member.validation_rows)) // batch * batch
            rates += [images / seconds for seconds in member.seconds_per_epoch]
        return median(rates)
