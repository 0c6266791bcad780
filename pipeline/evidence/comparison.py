"""The arms of a run side by side: accuracy, errors, time, and all that is tested about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.data.digits import Digits
from pipeline.evidence.fairness import Fairness, check_fairness
from pipeline.evidence.judged import Judges, judged_images
from pipeline.evidence.pairs import pairs_of
from pipeline.evidence.same_size import SameSize, same_size
from pipeline.evidence.verdict import Paired, compare_pairs
from pipeline.records.members import Member, group_by_arm
from pipeline.records.scores import Score


@dataclass(frozen=True)
class Arm:
    """The members of one activation, each by itself."""

    activation: str
    members: int
    validation: list[Score]
    """Of each member on its validation rows; empty when it trained on all rows."""
    held_back: list[Score]
    """Of each member on the held-back images; empty where their digits are not known."""
    seconds_per_epoch: float
    """Median wall seconds over the members' epochs, the first of each left out (it pays for compilation)."""


@dataclass(frozen=True)
class Ensemble:
    """Members voting together, with equal weights."""

    name: str
    """The activation that they share, or "all"."""
    members: int
    votes: float | None
    """How many of them vote on each validation row, on average; None without validation rows. On each held-back image,
    all of them do."""
    validation: Score | None
    """On all rows that some member was validated on, each voted on by the members that did not train on it."""
    held_back: Score | None


@dataclass(frozen=True)
class Comparison:
    """All that is said of a run's members."""

    arms: list[Arm]
    ensembles: list[Ensemble]
    paired: list[Paired]
    """Each two arms over their pairs of the same seed and fold; only arms that have fair pairs."""
    fairness: Fairness
    """Whether the pairs shared all that they should, by the members' own records."""
    same_size: list[SameSize]
    """Ensembles of one size, from one arm and from two."""
    failed: dict[str, str]
    """Members that are left out, with the reason."""


def compare(members: Sequence[Member], digits: Digits, failed: dict[str, str]) -> Comparison:
    """Compare the arms among the finished members of one run.

    Args:
        members: In the order of the config; at least one.
        digits: The data they were trained on.
        failed: Ids of the members that failed, each with the reason.
    """
    groups = group_by_arm(members)
    fairness = check_fairness(groups)
    voting = groups | ({"all": list(members)} if len(groups) > 1 else {})
    return Comparison(
        arms=[_arm(name, group, digits) for name, group in groups.items()],
        ensembles=[_ensemble(name, group, digits) for name, group in voting.items()],
        paired=compare_pairs(
            {arms: pairs for arms, pairs in pairs_of(groups, digits).items() if arms in fairness.fair}
        ),
        fairness=fairness,
        same_size=same_size(groups, digits),
        failed=failed,
    )


def _arm(name: str, group: list[Member], digits: Digits) -> Arm:
    return Arm(
        activation=name,
        members=len(group),
        validation=[score for m in group if (score := _score(Judges.VALIDATION, [m], digits))],
        held_back=[score for m in group if (score := _score(Judges.HELD_BACK, [m], digits))],
        seconds_per_epoch=median(seconds for m in group for seconds in m.seconds_per_epoch),
    )


def _ensemble(name: str, group: list[Member], digits: Digits) -> Ensemble:
    validation = judged_images(Judges.VALIDATION, digits, group)
    return Ensemble(
        name=name,
        members=len(group),
        votes=float(validation.voters(group).mean()) if len(validation) else None,
        validation=_score(Judges.VALIDATION, group, digits),
        held_back=_score(Judges.HELD_BACK, group, digits),
    )


def _score(judges: Judges, members: Sequence[Member], digits: Digits) -> Score | None:
    """Of the vote of some members; None where no image judges them."""
    images = judged_images(judges, digits, members)
    return images.score(members) if len(images) else None
