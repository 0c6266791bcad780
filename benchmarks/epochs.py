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
from pipeline.evidence.epochs import EpochDifference, differences_by_epoch
from pipeline.evidence.pairs import Pair
from pipeline.evidence.verdict import compare_pairs
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
        pairs = pairs_only(self.folder / "metrics.csv", self.images)
        show(str(self.folder), COLUMNS, [line for arms, found in pairs.items() for line in _lines(arms, found)])
        with own_look():
            if plot := epoch_differences(compare_pairs(pairs)):
                _save(plot, self.out or self.folder)


def pairs_only(metrics: Path, images: int) -> dict[tuple[str, str], list[Pair]]:
    """Pairs of each two arms of a study, the later first, from its metrics.csv; without predictions per image.

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
    return {arms: found for arms, found in pairs.items() if found}


def _pair(seed: int, fold: int, by_epoch: NDArray[np.float64], images: int) -> Pair:
    """A pair of which only the accuracies are known: which images it reads right is made up, how many is not."""
    net = round(by_epoch[-1] * images / 100)
    difference = np.zeros(images, np.int8)
    difference[: abs(net)] = np.sign(net)
    return Pair(seed, fold, images * fold + np.arange(images), difference, np.empty(0), np.empty(0), 1.0, by_epoch)


def _lines(arms: tuple[str, str], pairs: list[Pair]) -> list[list[str]]:
    """After the last epoch, and on average over the last third of them: to look there was not planned."""
    epochs = len(pairs[0].by_epoch)
    late = epochs // 3
    (last,) = differences_by_epoch([pair.by_epoch[-1:] for pair in pairs])
    (mean,) = differences_by_epoch([pair.by_epoch[-late:].mean(keepdims=True) for pair in pairs])
    spans = {str(epochs): last, **({f"{epochs - late + 1} to {epochs}": mean} if late > 1 else {})}
    return [_cells(arms, span, found, len(pairs)) for span, found in spans.items()]


def _cells(arms: tuple[str, str], epochs: str, found: EpochDifference, pairs: int) -> list[str]:
    low, high = found.interval or (np.nan, np.nan)
    return [" - ".join(arms), epochs, str(pairs), f"{found.difference:+z.3f}", f"{low:+z.3f} to {high:+z.3f}",
            f"{found.first_ahead}, {found.second_ahead}"]  # fmt: skip


def _save(plot: Plot, folder: Path) -> None:
    path = folder / "difference-by-epoch.png"
    with atomic_replace(path) as temporary:
        plot.figure.savefig(temporary, format="png", dpi=120, facecolor="white", metadata={"Software": None})
    print(f"written: {path}")
