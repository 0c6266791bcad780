"""What the histories of a study tell without its predictions per image: differences by epoch, over pairs alone."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray

from benchmarks.record import show
from pipeline.config.errors import UserError
from pipeline.evidence.epochs import EpochSpan
from pipeline.evidence.pairs import Pair
from pipeline.evidence.verdict import Paired, compare_pairs
from pipeline.records.atomic import atomic_replace
from pipeline.report.difference_figures import epoch_differences
from pipeline.report.plots import Plot, own_look

COLUMNS = ["difference", "epochs", "pairs", "mean", "95% interval, over pairs", "ahead"]


@dataclass(frozen=True)
class Epochs:
    """Differences between arms by epoch, from a study's metrics.csv; their intervals are over pairs, for its images."""

    folder: Annotated[Path, tyro.conf.Positional] = Path("docs/study/30-epochs")
    """The study's folder."""
    images: int = 8400
    """Validation images of a fold."""
    out: Path | None = None
    """Where to write difference-by-epoch.png. By default the study's folder."""

    def run(self) -> None:
        """Print the differences after the last epoch and over the last third of them, and draw the figure."""
        paired = pairs_only(self.folder / "metrics.csv", self.images)
        lines = [_cells(result, span) for result in paired for span in (result.by_epoch[-1], result.late) if span]
        show(str(self.folder), COLUMNS, lines)
        with own_look():
            if plot := epoch_differences(paired):
                _save(plot, self.out or self.folder)


def pairs_only(metrics: Path, images: int) -> list[Paired]:
    """Each two arms of a study, the later first, from its metrics.csv; without what takes predictions per image.

    Raises:
        UserError: the file is missing or no study's.
    """
    try:
        table = pd.read_csv(metrics).pivot_table(
            index=["seed", "fold"], columns=["arm", "epoch"], values="validation_accuracy", sort=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{metrics} is not that of a study with validation rows: {error}") from None
    pairs = {}
    for second, first in combinations(dict.fromkeys(table.columns.get_level_values("arm")), 2):
        curves = (100 * (table[first] - table[second])).dropna()
        keyed = zip(curves.index, curves.to_numpy(), strict=True)
        pairs[first, second] = [_pair(seed, fold, curve, images) for (seed, fold), curve in keyed]
    return compare_pairs({arms: found for arms, found in pairs.items() if found})


def _pair(seed: int, fold: int, by_epoch: NDArray[np.float64], images: int) -> Pair:
    """A pair of which only the accuracies are known: which images it reads right is made up, how many is not."""
    net = round(by_epoch[-1] * images / 100)
    difference = np.zeros(images, np.int8)
    difference[: abs(net)] = np.sign(net)
    unknown = np.empty(0)
    return Pair(seed, fold, images * fold + np.arange(images), difference, unknown, unknown, 1.0, by_epoch)


def _cells(result: Paired, span: EpochSpan) -> list[str]:
    epochs = f"{span.first_epoch} to {span.last_epoch}" if span is result.late else str(span.last_epoch)
    low, high = span.interval or (np.nan, np.nan)
    return [f"{result.first} - {result.second}", epochs, str(len(result.points)), f"{span.difference:+z.3f}",
            f"{low:+z.3f} to {high:+z.3f}", f"{span.first_ahead}, {span.second_ahead}"]  # fmt: skip


def _save(plot: Plot, folder: Path) -> None:
    path = folder / f"{plot.name}.png"
    with atomic_replace(path) as temporary:
        plot.figure.savefig(temporary, format="png", dpi=120, facecolor="white", metadata={"Software": None})
    print(f"written: {path}")
