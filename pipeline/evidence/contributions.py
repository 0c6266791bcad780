"""What each run adds to a blend of several: the blend with it against the blend without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.digits import Digits
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
    if not len(images):
        return None
    everyone = [(name, member) for name, members in runs.items() for member in members]
    voters = [member for _, member in everyone]
    whole = images.score(voters)
    without = {name: images.score([member for run, member in everyone if run != name]) for name in runs}
    return Blend(
        where=images.where,
        networks=len(voters),
        votes=float(images.voters(voters).mean()),
        whole=whole,
        contributions=[
            Contribution(name, len(members), images.score(members), without[name].errors - whole.errors)
            for name, members in runs.items()
        ],
    )
