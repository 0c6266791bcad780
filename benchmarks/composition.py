"""How many networks should vote, and of which arms: the errors of every vote that a study's networks can hold."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.stats import binomtest

from benchmarks.record import save, show
from pipeline.config.errors import UserError
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.records.members import Member
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import read_study

Groups = dict[str, dict[int, list[Member]]]  # by arm, then by fold


@dataclass(frozen=True)
class Composition:
    """Errors of votes against their size and arms, on images that the networks did not train on."""

    record: tyro.conf.Positional[Path]
    """A study's record, as `compare --out` writes it; one of two runs has an arm for each of their networks."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the result. By default build/benchmarks/composition.json."""

    def run(self) -> None:
        """Print and write the table.

        Raises:
            UserError: there is no such record, or its networks have no validation images.
        """
        study = read_study(RunFolder(self.record))
        if any(member.spec.fold is None for member in study.members):
            raise UserError(f"{self.record} has networks without validation images: they trained on all of them.")
        votes = votes_of(study.members, study.digits.labels)
        title = f"votes on images that no voter trained on: {self.record}"
        show(title, ["vote", "networks", "errors", "accuracy, 95%"], [list(vote.cells()) for vote in votes])
        save("composition", self.out, {"votes": [asdict(vote) for vote in votes]})


@dataclass(frozen=True)
class Vote:
    """Votes of one composition."""

    arms: str
    networks: int
    errors: float
    """On all images; the average over the choices of seeds."""
    images: int
    accuracy: tuple[float, float, float]
    """And its 95% interval for other images, by Clopper and Pearson."""

    def cells(self) -> Iterator[str]:
        """A row of the table."""
        best, low, high = self.accuracy
        yield from (self.arms, str(self.networks), f"{self.errors:.1f} of {self.images:,}")
        yield f"{best:.5f}, {low:.5f} to {high:.5f}"


def votes_of(members: Sequence[Member], labels: NDArray[np.uint8]) -> list[Vote]:
    """The votes of each composition that every fold has the networks for, by size."""
    groups: Groups = defaultdict(lambda: defaultdict(list))
    for member in members:
        groups[member.label or member.spec.activation][member.spec.fold or 0].append(member)
    folds = sorted({fold for by_fold in groups.values() for fold in by_fold})
    most = [min(len(by_fold[fold]) for fold in folds) for by_fold in groups.values()]
    images = sum(len(next(iter(groups.values()))[fold][0].validation_rows) for fold in folds)
    votes = []
    for counts in sorted(product(*(range(count + 1) for count in most)), key=lambda c: (sum(c), [-n for n in c])):
        if sum(counts):
            errors = float(sum(_mean_errors(groups, counts, fold, labels) for fold in folds))
            low, high = binomtest(round(errors), images).proportion_ci()
            arms = " + ".join(f"{count} {arm}" for arm, count in zip(groups, counts, strict=True) if count)
            votes.append(Vote(arms, sum(counts), errors, images, (1 - errors / images, 1 - high, 1 - low)))
    return votes


def _mean_errors(groups: Groups, counts: Sequence[int], fold: int, labels: NDArray[np.uint8]) -> float:
    """Errors in a fold, on average over every choice of so many networks of each arm."""
    per_arm = [combinations(by_fold[fold], count) for by_fold, count in zip(groups.values(), counts, strict=True)]
    errors = []
    for chosen in product(*per_arm):
        voters = [member for some in chosen for member in some]
        vote = soft_vote([voter.validation_probabilities for voter in voters])
        errors.append(np.count_nonzero(predicted_labels(vote) != labels[voters[0].validation_rows]))
    return float(np.mean(errors))
