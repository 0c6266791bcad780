"""What each run adds to a blend of several: the blend with it against the blend without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.digits import Digits
from pipeline.evidence.intervals import Interval, spread_of
from pipeline.evidence.judged import Judges, judged_images
from pipeline.records.members import Member
from pipeline.records.scores import Score


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
    images = judged_images(Judges.BEST, digits, *runs.values())
    everyone = [member for members in runs.values() for member in members]
    if not len(images):
        return None
    right, contributions = images.right(everyone), []
    for name, members in runs.items():
        without = images.right([m for other, group in runs.items() if other != name for m in group])
        readings = right.astype(np.int8) - without.astype(np.int8)
        low, high = spread_of([images.numbers], [readings]).interval()
        to_errors = len(images) / 100
        contributions.append(
            Contribution(
                run=name,
                networks=len(members),
                alone=images.score(members),
                saved_errors=int(readings.sum()),
                interval=(low * to_errors, high * to_errors),
            )
        )
    return Blend(
        where=images.where,
        networks=len(everyone),
        votes=float(images.voters(everyone).mean()),
        whole=images.score(everyone),
        contributions=contributions,
    )
