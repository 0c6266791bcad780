"""The arms of a run side by side: accuracy, errors, time, and all that is tested about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import out_of_fold, predicted_labels, soft_vote
from pipeline.ensemble.voters import voters_of
from pipeline.evidence.fairness import check_fairness, partners
from pipeline.evidence.mcnemar import McNemar, mcnemar_tests
from pipeline.evidence.pairs import Pair, Paired
from pipeline.evidence.same_size import SameSize, same_size
from pipeline.evidence.selections import Selection, judge_selections
from pipeline.evidence.verdict import compare_pairs
from pipeline.records.members import Member, group_by_arm


@dataclass(frozen=True)
class Score:
    """How one set of predictions did."""

    images: int
    """Number of images predicted."""
    errors: int
    """Number of them predicted wrong."""

    @property
    def accuracy(self) -> float:
        """Fraction predicted right."""
        return 1 - self.errors / self.images


@dataclass(frozen=True)
class Arm:
    """The members of one activation, each by itself."""

    activation: str
    members: int
    validation: list[Score]
    """Of each member on its validation rows; empty when it trained on all rows."""
    held_back: list[Score]
    """Of each member on the sample's held-back labels; empty without them."""
    seconds_per_epoch: float
    """Median wall seconds over the members' epochs, the first of each left out (it pays for compilation)."""
    ratio_to_relu: float | None
    """Median over pairs of (seed, fold) of seconds per epoch over ReLU's; None without such a pair."""


@dataclass(frozen=True)
class Ensemble:
    """Members voting together, with equal weights."""

    name: str
    """The activation that they share, or "all"."""
    members: int
    validation: Score | None
    """On all rows that some member was validated on, each voted on by the members that did not train on it."""
    held_back: Score | None


@dataclass(frozen=True)
class Comparison:
    """All that is said of a run's members."""

    arms: list[Arm]
    ensembles: list[Ensemble]
    tests: list[McNemar]
    paired: list[Paired]
    """Each two arms over their pairs of the same seed and fold; only arms that have fair pairs."""
    fairness: str
    """What the members' own records say of it, in words; empty without pairs."""
    same_size: list[SameSize]
    """Ensembles of one size, from one arm and from two; on the held-back images, else on the validation rows."""
    selections: list[Selection]
    """Votes of unequal weight, against equal ones."""
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
    fair, fairness = check_fairness(groups)
    voters = voters_of(members, digits)
    voting = groups | ({"all": list(members)} if len(groups) > 1 else {})
    return Comparison(
        arms=[_arm(name, group, groups.get("relu", []), digits) for name, group in groups.items()],
        ensembles=[_ensemble(name, group, digits) for name, group in voting.items()],
        tests=mcnemar_tests(groups, digits),
        paired=compare_pairs({arms: pairs for arms, pairs in pairs_of(groups, digits).items() if arms in fair}),
        fairness=fairness,
        same_size=same_size(voters, digits.held_back_labels) if voters else [],
        selections=judge_selections(voters) if voters else [],
        failed=failed,
    )


def pairs_of(groups: dict[str, list[Member]], digits: Digits) -> dict[tuple[str, str], list[Pair]]:
    """The pairs of each two arms, the later arm first; only arms that have some, on validation rows."""
    pairs = {}
    for (second, theirs), (first, ours) in combinations(groups.items(), 2):
        found = [_pair(one, other, digits) for one, other in partners(ours, theirs) if len(one.validation_rows)]
        if found:
            pairs[first, second] = found
    return pairs


def _pair(first: Member, second: Member, digits: Digits) -> Pair:
    truth = digits.labels[first.validation_rows]
    ours, theirs = (predicted_labels(m.validation_probabilities) == truth for m in (first, second))
    ratio = median(first.seconds_per_epoch) / median(second.seconds_per_epoch)
    return Pair(first.spec.fold or 0, ours.astype(np.int8) - theirs.astype(np.int8), ratio)


def score(labels: Any, truth: Any) -> Score:
    """The score of predicted labels, shape (n,), against the true ones, shape (n,)."""
    return Score(len(truth), int((labels != truth).sum()))


def _arm(name: str, group: list[Member], relu: list[Member], digits: Digits) -> Arm:
    held_back = digits.held_back_labels
    ratios = [median(ours.seconds_per_epoch) / median(relus.seconds_per_epoch) for ours, relus in partners(group, relu)]
    return Arm(
        activation=name,
        members=len(group),
        validation=[
            score(predicted_labels(m.validation_probabilities), digits.labels[m.validation_rows])
            for m in group
            if len(m.validation_rows)
        ],
        held_back=[score(predicted_labels(m.test_probabilities), held_back) for m in group]
        if held_back is not None
        else [],
        seconds_per_epoch=median(seconds for m in group for seconds in m.seconds_per_epoch),
        ratio_to_relu=median(ratios) if ratios else None,
    )


def _ensemble(name: str, group: list[Member], digits: Digits) -> Ensemble:
    rows, probabilities = out_of_fold(group)
    held_back = digits.held_back_labels
    voted = soft_vote([m.test_probabilities for m in group])
    return Ensemble(
        name=name,
        members=len(group),
        validation=score(predicted_labels(probabilities), digits.labels[rows]) if len(rows) else None,
        held_back=score(predicted_labels(voted), held_back) if held_back is not None else None,
    )
