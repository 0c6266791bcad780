"""Votes of networks of two families, of every size: what do so many networks of the one and of the other reach?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks.record import save, show
from benchmarks.screening import scaled_losses
from pipeline.config.errors import UserError
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import Study, read_study


@dataclass(frozen=True)
class Families:
    """Errors and log loss of every vote of so many networks of one study and so many of another.

    Each network has one vote, as in `blend`. The images are those of the folds that both studies have. Differences are
    those to the vote of all networks of either study; standard errors are over the images, for these networks.
    """

    first: tyro.conf.Positional[Path]
    """A study's record, as `compare --out` writes it."""
    second: tyro.conf.Positional[Path]
    """Another one, whose networks validated on the same folds, or on some of them."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the result. By default build/benchmarks/families.json."""

    def run(self) -> None:
        """Print and write the table.

        Raises:
            UserError: one of the records is not there or lacks a network, or they have no fold in common.
        """
        first, second = (read_study(RunFolder(record)) for record in (self.first, self.second))
        rows = common_rows(first, second)
        if not len(rows):
            raise UserError(f"{self.first} and {self.second} validate on no fold that is the same: check their folds.")
        firsts, seconds = on_rows(first, rows, self.first), on_rows(second, rows, self.second)
        votes = votes_of(firsts, seconds, first.digits.labels[rows])
        title = f"networks of {self.first.name} and of {self.second.name} that vote together on {len(rows):,} images"
        than = [f"than {record.name} alone" for record in (self.first, self.second)]
        columns = [self.first.name, self.second.name, "errors", *than, "log loss, scaled", *than]
        show(title, columns, [vote.cells() for vote in votes])
        save("families", self.out, {"images": len(rows), "votes": [asdict(vote) for vote in votes]})


@dataclass(frozen=True)
class Vote:
    """Votes of one composition, averaged over every choice of so many networks."""

    first: int
    second: int
    errors: float
    errors_than_first: str
    errors_than_second: str
    log_loss: float
    log_loss_than_first: str
    log_loss_than_second: str

    def cells(self) -> list[str]:
        """A row of the table."""
        errors = (f"{self.errors:.1f}", self.errors_than_first, self.errors_than_second)
        losses = (f"{self.log_loss:.4f}", self.log_loss_than_first, self.log_loss_than_second)
        return [str(self.first), str(self.second), *errors, *losses]


def common_rows(first: Study, second: Study) -> NDArray[np.int64]:
    """The validation rows of the folds that both studies have, fold by fold; int64 of shape (n,)."""
    theirs = [member.validation_rows for member in second.members]
    folds = {
        member.spec.fold: member.validation_rows
        for member in first.members
        if any(np.array_equal(member.validation_rows, rows) for rows in theirs)
    }
    return np.concatenate([np.empty(0, np.int64), *folds.values()])


def on_rows(study: Study, rows: NDArray[np.int64], path: Path) -> list[NDArray[np.float32]]:
    """What the networks of each activation and seed predict of these rows, over all folds; each of shape (n, 10).

    Raises:
        UserError: the study, read from `path`, lacks one of them.
    """
    by_network: dict[tuple[str, int], NDArray[np.float32]] = {}
    for member in study.members:
        key = (member.arm, member.spec.seed)
        everything = by_network.setdefault(key, np.full((len(study.digits.labels), 10), np.nan, np.float32))
        everything[member.validation_rows] = member.validation_probabilities
    for (arm, seed), everything in by_network.items():
        if np.isnan(everything[rows]).any():
            raise UserError(
                f"{path} lacks {arm} of seed {seed} in a fold: its run was half-finished. Finish it, and compare again."
            )
    return [everything[rows] for everything in by_network.values()]


def votes_of(
    first: Sequence[NDArray[np.float32]], second: Sequence[NDArray[np.float32]], labels: NDArray[np.uint8]
) -> list[Vote]:
    """The votes of every size, given each network's probabilities of the same n images, of shape (n, 10)."""
    sizes = [size for size in product(range(len(first) + 1), range(len(second) + 1)) if sum(size)]
    judged = {size: _judged(first, second, size, labels) for size in sizes}
    (wrong_first, losses_first), (wrong_second, losses_second) = judged[len(first), 0], judged[0, len(second)]
    return [
        Vote(
            *size,
            errors=float(np.mean(wrong, axis=0).sum()),
            errors_than_first=told(wrong, wrong_first, len(labels), 1),
            errors_than_second=told(wrong, wrong_second, len(labels), 1),
            log_loss=round(float(np.mean(losses)), 5),
            log_loss_than_first=told(losses, losses_first, 1, 5),
            log_loss_than_second=told(losses, losses_second, 1, 5),
        )
        for size, (wrong, losses) in judged.items()
    ]


def _judged(
    first: Sequence[NDArray[np.float32]],
    second: Sequence[NDArray[np.float32]],
    size: tuple[int, int],
    labels: NDArray[np.uint8],
) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.float64]]]:
    """For each choice of so many networks, which images its vote misreads, and the log loss of each image."""
    votes = [
        soft_vote([*some, *others])
        for some, others in product(combinations(first, size[0]), combinations(second, size[1]))
    ]
    return [predicted_labels(vote) != labels for vote in votes], [scaled_losses(vote, labels) for vote in votes]


def told(ours: Sequence[NDArray[Any]], theirs: Sequence[NDArray[Any]], unit: float, digits: int) -> str:
    """Mean difference over images and networks, in units, with its standard error over the images."""
    by_image = np.mean(ours, axis=0) - np.mean(theirs, axis=0)
    error = by_image.std(ddof=1) / np.sqrt(len(by_image))
    return f"{unit * by_image.mean():+.{digits}f} ± {unit * error:.{digits}f}"
