"""Votes of a study's networks: the errors of every size, and all of them against those of another study."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import binomtest

from benchmarks.record import save, show
from pipeline.config.errors import UserError
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.records.members import Member, group_by_arm
from pipeline.records.run_folder import RunFolder
from pipeline.records.scores import TINY
from pipeline.records.study import read_study

Folds = Mapping[int, Sequence[Member]]


@dataclass(frozen=True)
class Votes:
    """Errors of votes, by their size and arms, on images that the networks did not train on."""

    record: tyro.conf.Positional[Path]
    """A study's record, as `compare --out` writes it; that of several runs has an arm for each of their activations."""
    than: Annotated[Path | None, tyro.conf.arg(name="than")] = None
    """Another study's record, for the difference between the votes of all networks of each."""
    folds: tuple[int, ...] = ()
    """The folds whose rows judge; by default all of the first record."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the result. By default build/benchmarks/votes.json."""

    def run(self) -> None:
        """Print and write the errors, and the difference.

        Raises:
            UserError: a record is not there or has no networks in one of the folds, or the two are of other digits.
        """
        folds, labels = networks_of(self.record, self.folds)
        votes = votes_of(folds, labels)
        show(
            f"votes of {self.record}", ["vote", "networks", "errors", "accuracy, 95%"], [vote.cells() for vote in votes]
        )
        content: dict[str, Any] = {"votes": [asdict(vote) for vote in votes]}
        if self.than:
            others, other_labels = networks_of(self.than, tuple(folds))
            if not np.array_equal(labels, other_labels):
                raise UserError(f"{self.record} and {self.than} are of other digits: their runs had other data.")
            found = asdict(against(folds, others, labels))
            lines = [[name, *(f"{value:.5g}" for value in found[name])] for name in ("errors", "log_loss")]
            columns = ["all vote", self.record.name, self.than.name, "difference", "standard error"]
            show(f"on {found['images']:,} images", columns, lines)
            content["against"] = {"record": str(self.than), "folds": [*folds], **found}
        save("votes", self.out, content)


@dataclass(frozen=True)
class Vote:
    """Votes of so many networks of each arm."""

    arms: str
    networks: int
    errors: float
    """On all images; the average over the choices of networks."""
    images: int
    accuracy: tuple[float, float, float]
    """And its 95% interval for other images, by Clopper and Pearson."""

    def cells(self) -> list[str]:
        """A row of the table."""
        best, low, high = self.accuracy
        errors = f"{self.errors:.1f} of {self.images:,}"
        return [self.arms, str(self.networks), errors, f"{best:.4f}, {low:.4f} to {high:.4f}"]


@dataclass(frozen=True)
class Against:
    """The vote of all networks of one study against that of another: this one, that one, difference, standard error.

    The standard error is over images, for these networks.
    """

    images: int
    errors: tuple[float, float, float, float]
    log_loss: tuple[float, float, float, float]
    """Per image, in nats, after temperature scaling."""


def networks_of(record: Path, folds: Sequence[int]) -> tuple[Folds, NDArray[np.uint8]]:
    """The networks of a study's record by fold, and the digits of all labelled rows.

    Args:
        record: Its folder.
        folds: Which folds; all if empty.

    Raises:
        UserError: there is no such record, a fold has no networks, or some were not validated.
    """
    study = read_study(RunFolder(record))
    if study.note:
        print(f"WARNING: {record}: {study.note}")
    found: dict[int, list[Member]] = {}
    for member in study.members:
        if member.spec.fold is None:
            raise UserError(f"{record} has networks without validation rows: they trained on all of them.")
        found.setdefault(member.spec.fold, []).append(member)
    if absent := [fold for fold in folds if fold not in found]:
        raise UserError(f"{record} has no networks in fold {absent[0]}, but in {', '.join(map(str, sorted(found)))}.")
    return {fold: found[fold] for fold in sorted(folds or found)}, study.digits.labels


def votes_of(folds: Folds, labels: NDArray[np.uint8]) -> list[Vote]:
    """The votes that every fold has the networks for, by size."""
    groups = [group_by_arm(members) for members in folds.values()]
    arms = list(groups[0])
    most = [min(len(group.get(arm, [])) for group in groups) for arm in arms]
    images = sum(len(members[0].validation_rows) for members in folds.values())
    votes = []
    for counts in sorted(product(*(range(n, -1, -1) for n in most)), key=sum):
        if sum(counts):
            wanted = dict(zip(arms, counts, strict=True))
            errors = sum(_mean_errors(group, wanted, labels) for group in groups)
            low, high = binomtest(round(errors), images).proportion_ci()
            name = " + ".join(f"{count} {arm}" for arm, count in wanted.items() if count)
            votes.append(Vote(name, sum(counts), errors, images, (1 - errors / images, 1 - high, 1 - low)))
    return votes


def _mean_errors(group: Mapping[str, Sequence[Member]], wanted: Mapping[str, int], labels: NDArray[np.uint8]) -> float:
    """Errors in a fold, on average over every choice of so many networks of each arm."""
    errors = []
    for chosen in product(*(combinations(group.get(arm, ()), count) for arm, count in wanted.items())):
        voters = [member for some in chosen for member in some]
        vote = soft_vote([voter.validation_probabilities for voter in voters])
        errors.append(np.count_nonzero(predicted_labels(vote) != labels[voters[0].validation_rows]))
    return float(np.mean(errors))


def against(folds: Folds, others: Folds, labels: NDArray[np.uint8]) -> Against:
    """The vote of all of a study's networks against that of another's, on the rows of the same folds.

    Raises:
        UserError: the studies did not validate on the same rows.
    """
    wrong: list[list[NDArray[Any]]] = [[], []]
    losses: list[list[NDArray[Any]]] = [[], []]
    for fold in folds:
        if not np.array_equal(folds[fold][0].validation_rows, others[fold][0].validation_rows):
            raise UserError(f"the two records validate on other rows in fold {fold}: their runs had other folds.")
        for i, members in enumerate((folds[fold], others[fold])):
            vote, digits = soft_vote([m.validation_probabilities for m in members]), labels[members[0].validation_rows]
            wrong[i].append(predicted_labels(vote) != digits)
            losses[i].append(scaled_losses(vote, digits))
    first, second = (np.concatenate(some).astype(np.float64) for some in wrong)
    ours, theirs = (np.concatenate(some) for some in losses)
    spread = np.std(first - second) * np.sqrt(len(first)), np.std(ours - theirs) / np.sqrt(len(first))
    return Against(
        images=len(first),
        errors=(first.sum(), second.sum(), (first - second).sum(), spread[0]),
        log_loss=(ours.mean(), theirs.mean(), (ours - theirs).mean(), spread[1]),
    )


def scaled_losses(probabilities: NDArray[np.float64], digits: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Log loss of each image after temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    The temperature that the even images like best scales the odd ones, and the other way round.

    Args:
        probabilities: Of each class, shape (n, 10).
        digits: The right ones, shape (n,).

    Returns:
        Nats, shape (n,).
    """
    logits = np.log(np.maximum(probabilities, TINY))

    def losses(part: slice, log_temperature: float) -> NDArray[np.float64]:
        scaled = log_softmax(logits[part] / np.exp(log_temperature), axis=1)
        return -scaled[np.arange(len(scaled)), digits[part]]

    found = np.empty(len(digits))
    for ours, theirs in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        best = minimize_scalar(lambda log_t, part=theirs: losses(part, log_t).mean(), bounds=(-3, 3), method="bounded")
        found[ours] = losses(ours, best.x)
    return found
