"""Two families of networks on the same images: the vote of each, and of both together."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks.record import save, show
from benchmarks.screening import member_folders, scaled_losses
from benchmarks.views import told
from pipeline.config.errors import UserError
from pipeline.ensemble.soft_vote import soft_vote
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import read_study

COLUMNS = ["vote of", "errors", "difference", "log loss, scaled", "difference"]


@dataclass(frozen=True)
class Families:
    """Compare the vote of a run's networks with that of a study's on the run's validation folds, and mix the two.

    Differences are those to the study's vote; the standard error is over the images, and holds for these networks.
    """

    study: tyro.conf.Positional[Path]
    """A study's record, as `compare --out` writes it."""
    folder: tyro.conf.Positional[Path]
    """A finished run that validates on folds of the study."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the record. By default build/benchmarks/families.json."""

    def run(self) -> None:
        """Print and write a line for each vote.

        Raises:
            UserError: one of the two is not there, or they do not validate on the same rows.
        """
        study, folds = read_study(RunFolder(self.study)), defaultdict(list)
        for _, _, member in member_folders([self.folder]):
            folds[member.spec.fold].append(member)
        groups, rows = [], []
        for run in folds.values():
            its = [member for member in study.members if np.array_equal(member.validation_rows, run[0].validation_rows)]
            if not its:
                raise UserError(f"{self.folder} validates on other rows than {self.study}: give it the same --folds.")
            groups.append((its, run))
            rows.append(run[0].validation_rows)
        first, second = (
            np.concatenate([soft_vote([m.validation_probabilities for m in group]) for group in family])
            for family in zip(*groups, strict=True)
        )
        votes = {
            f"{len(groups[0][0])} of {self.study.name}": first,
            f"{len(groups[0][1])} of {self.folder.name}": second,
            "both, each with half the weight": soft_vote([first, second]),
        }
        table = rows_of(votes, study.digits.labels[np.concatenate(rows)])
        show("votes on the same images", COLUMNS, [[str(cell) for cell in list(row.values())[:5]] for row in table])
        save("families", self.out, {"rows": table})


def rows_of(votes: dict[str, NDArray[np.float64]], labels: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """A line for each vote, given as probabilities of shape (n, 10); differences are those to the first."""
    wrong = [vote.argmax(axis=1) != labels for vote in votes.values()]
    losses = [scaled_losses(vote, labels) for vote in votes.values()]
    return [
        {
            "vote": name,
            "errors": int(wrong[i].sum()),
            "difference of errors": told([wrong[i]], [wrong[0]], len(labels), 1),
            "log loss, scaled": round(float(losses[i].mean()), 5),
            "difference of log loss": told([losses[i]], [losses[0]], 1, 5),
            "of": len(labels),
        }
        for i, name in enumerate(votes)
    ]
