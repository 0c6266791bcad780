"""Accuracy against minutes: `quick` and its neighbours, two studies, and the blog post's way, in one picture."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import binomtest

from benchmarks.composition import votes_of
from benchmarks.record import load, show
from pipeline.config.errors import UserError
from pipeline.records.atomic import atomic_replace
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import is_study, read_study

VOTE = "1 relu + 1 swish"
COLUMNS = ["one ReLU and one Swish network", "minutes", "errors", "accuracy, 95%"]


@dataclass(frozen=True)
class Minutes:
    """Draw the records of `quick`, of studies and of `original`: what a vote of two networks reaches in which time.

    The minutes of `quick` are those of the whole command, of a study those of its epochs (the median one, so that other
    work on the machine counts little). The blog post's way has the accuracy of `original`, whose recipe it is, and a
    multiple of its minutes.
    """

    posts: Path = Path("docs/study/30-epochs")
    """The record of a study of `original`."""
    strongest: Path = Path("docs/study/strong")
    """The record of a study of the recipe of `leaderboard`."""
    quick: Path = Path("docs/score/quick.json")
    """The record of `quick`."""
    original: Path = Path("docs/benchmarks/original.json")
    """The record of `original`: how much longer the post's way takes."""
    out: Path = Path("docs/score/minutes.png")
    """The picture."""

    def run(self) -> None:
        """Print and draw all points.

        Raises:
            UserError: a record is missing or is another one.
        """
        posts, strongest = study_point("original", self.posts), study_point("leaderboard", self.strongest)
        points = [
            *quick_points(load(self.quick, "rows")),
            posts,
            strongest,
            posts_point(posts, load(self.original, "speed_ups")),
        ]
        show("accuracy against minutes", COLUMNS, [list(point.cells()) for point in points])
        draw(points, self.out)


@dataclass(frozen=True)
class Point:
    """What a vote of one ReLU and one Swish network reached on images that they did not train on."""

    name: str
    minutes: float
    """Of two cores."""
    errors: float
    images: int

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the accuracy for other images, by Clopper and Pearson."""
        low, high = binomtest(round(self.errors), self.images).proportion_ci()
        return 1 - high, 1 - low

    @property
    def accuracy(self) -> float:
        """The share that it reads right."""
        return 1 - self.errors / self.images

    def cells(self) -> Iterator[str]:
        """A row of the table."""
        low, high = self.interval
        yield from (self.name, f"{self.minutes:.1f}", f"{self.errors:.0f} of {self.images:,}")
        yield f"{self.accuracy:.4f}, {low:.4f} to {high:.4f}"


def quick_points(rows: Sequence[dict[str, Any]]) -> list[Point]:
    """`quick` and its neighbours."""
    return [Point(f"quick: {row['run']}", row["minutes"], row["vote's errors"], row["of"]) for row in rows]


def study_point(name: str, folder: Path) -> Point:
    """A study's pair of networks, to be called `name`.

    Raises:
        UserError: the folder is not the record of a study of ReLU and Swish.
    """
    run = RunFolder(folder)
    try:
        table = pd.read_csv(run.metrics)
        of_each = table.groupby(["arm", "seed", "fold"])["seconds"].agg(lambda epochs: epochs.median() * len(epochs))
        by_arm = of_each.groupby("arm").median()
        minutes = float(by_arm[["relu", "swish"]].mean()) / 60
        errors, images = _pairs_errors(run)
        return Point(name, minutes, errors, images)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder} is not the record of a study of ReLU and Swish: {error}") from None


def _pairs_errors(run: RunFolder) -> tuple[float, int]:
    """Errors of a ReLU and a Swish network, on average over the choices of seeds, and of how many images."""
    if is_study(run):
        study = read_study(run)
        (vote,) = [vote for vote in votes_of(study.members, study.digits.labels) if vote.arms == VOTE]
        return vote.errors, vote.images
    # Studies of the first version kept no predictions, but these averages.
    (kept,) = [vote for vote in load(run.comparison, "same_size") if vote["composition"] == VOTE]
    return kept["mean_errors"], kept["images"]


def posts_point(ours: Point, speed_ups: Sequence[float]) -> Point:
    """The same networks trained in the post's way: it takes longer, and no difference in accuracy was found."""
    longer = statistics.median(speed_ups)
    return Point(f"{ours.name} in the post's way", longer * ours.minutes, ours.errors, ours.images)


def draw(points: Sequence[Point], path: Path) -> None:
    """Accuracies with their intervals; minutes on a logarithmic scale."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for point in points:
        low, high = point.interval
        spread = [[point.accuracy - low], [high - point.accuracy]]
        axes.errorbar(point.minutes, point.accuracy, yerr=spread, fmt="o", capsize=3)
        axes.annotate(point.name, (point.minutes, point.accuracy), (6, 5), textcoords="offset points", fontsize="small")
    axes.axvline(5, color="0.8", zorder=0)
    axes.set(xlim=(2.5, 100), xscale="log", xlabel="minutes of two cores", ylabel="accuracy of the vote, 95% interval")
    axes.set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"], minor=False)
    axes.minorticks_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_replace(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
    print(f"written: {path}")
