"""What each run adds to a blend of several: the blend with it against the blend without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import out_of_fold, predicted_labels, soft_vote
from pipeline.evidence.intervals import Interval, one_way, tally
from pipeline.records.members import Member
from pipeline.records.scores import Score, score


@dataclass(frozen=True)
class Contribution:
    """One run's part in a blend."""

    run: str
    networks: int
    alone: Score
    """Of the run's networks voting alone."""
    saved_errors: int
    """Errors of the blend without it, minus errors of the blend."""
    interval: Interval
    """95% of the same, over images: for these networks."""


@dataclass(frozen=True)
class Blend:
    """Runs that vote together, each network with the same weight."""

    where: str
    """"held-back" or "validation" images."""
    networks: int
    votes: float
    """Networks that vote on one of these images, on average; all of them on a held-back image."""
    whole: Score
    contributions: list[Contribution]


def judge_blend(runs: Mapping[str, Sequence[Member]], digits: Digits) -> Blend | None:
    """Score a blend and each run's part in it.

    Args:
        runs: The members of each run, by the run's name; two or more runs.
        digits: Their data.

    Returns:
        The scores on the held-back images where there are some, else on the rows that every run predicted out of fold;
        None if there is neither.
    """
    truth = digits.held_back_labels
    rows = None if truth is not None else _common_rows(list(runs.values()))
    if rows is not None:
        truth = digits.labels[rows]
    if truth is None or not len(truth):
        return None
    everyone = [member for members in runs.values() for member in members]
    whole = _vote(everyone, rows)
    contributions = []
    for name, members in runs.items():
        without = _vote([m for other, group in runs.items() if other != name for m in group], rows)
        readings = (whole == truth).astype(np.int8) - (without == truth).astype(np.int8)
        low, high = one_way(tally([np.arange(len(truth))], [readings])).interval()
        to_errors = len(truth) / 100
        contributions.append(
            Contribution(
                run=name,
                networks=len(members),
                alone=score(_vote(members, rows), truth),
                saved_errors=int(readings.sum()),
                interval=(float(low) * to_errors, float(high) * to_errors),
            )
        )
    return Blend(
        where="held-back" if rows is None else "validation",
        networks=len(everyone),
        votes=len(everyone)
        if rows is None
        else sum(np.isin(m.validation_rows, rows).sum() for m in everyone) / len(rows),
        whole=score(whole, truth),
        contributions=contributions,
    )


def _common_rows(runs: Sequence[Sequence[Member]]) -> NDArray[np.int64]:
    """The labelled rows that each run predicted out of fold."""
    rows: NDArray[np.int64] = reduce(np.intersect1d, [out_of_fold(members)[0] for members in runs])
    return rows


def _vote(members: Sequence[Member], rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The labels that members vote for: of the test images, or of the labelled rows named."""
    if rows is None:
        return predicted_labels(soft_vote([member.test_probabilities for member in members]))
    own, probabilities = out_of_fold(members)
    return predicted_labels(probabilities[np.searchsorted(own, rows)])
