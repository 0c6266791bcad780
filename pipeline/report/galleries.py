"""The report's pictures of digits that the networks find hard."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.report.figures import WIDTH, Plot, csv_text
from pipeline.report.scored_images import ScoredImages

SHOWN_DIGITS = 24
COLUMNS_OF_DIGITS = 4


def misread_by_all(known: ScoredImages) -> Plot | None:
    """The images that no member reads right; None if there is none."""
    wrong = np.flatnonzero(known.right == 0)
    return _digits(
        known,
        wrong,
        "images that every member gets wrong",
        "what they have in common is the digit, not the network: more networks of this kind would not help.",
    )


def disagreements(known: ScoredImages) -> Plot | None:
    """The images that the arms' ensembles read differently; None if there is none."""
    guesses = np.array([predicted_labels(vote) for vote in known.votes.values()])
    apart = np.flatnonzero((guesses != guesses[0]).any(axis=0))
    return _digits(
        known,
        apart,
        "images that the arms' ensembles read differently",
        "the difference in accuracy between the arms is made by these alone.",
    )


def _digits(known: ScoredImages, rows: NDArray[np.int64], what: str, why: str) -> Plot | None:
    """Some images with every arm's reading of them, the surest readings first."""
    if not len(rows) or not len(known.images):
        return None
    rows = rows[np.argsort(-known.vote[rows].max(axis=1), kind="stable")]
    shown = rows[:SHOWN_DIGITS]
    lines = -(-len(shown) // COLUMNS_OF_DIGITS)
    figure = Figure(figsize=(WIDTH, lines * (1.2 + 0.16 * len(known.votes))), layout="constrained")
    grid: list[Axes] = list(figure.subplots(lines, COLUMNS_OF_DIGITS, squeeze=False).flat)
    for axes in grid:
        axes.axis("off")
    for axes, row in zip(grid, shown, strict=False):
        axes.imshow(known.images[row], cmap="gray_r")
        reads = [f"{arm} {v[row].argmax()} {v[row].max():.0%}" for arm, v in known.votes.items()]
        axes.set_title("\n".join([f"is {known.truth[row]}", *reads]), fontsize=8)
    count = f"{len(shown)} of the {len(rows)}" if len(shown) < len(rows) else f"The {len(rows)}"
    return Plot(
        figure,
        f"{count} {known.where} {what}, with each arm's reading and its probability; {why}",
        f"Handwritten digits: {what}.",
        csv_text(["image", "digit", *(f"{arm}_{x}" for arm in known.votes for x in ("reads", "probability"))],
             ([row, known.truth[row], *(x for v in known.votes.values() for x in (v[row].argmax(), v[row].max()))]
              for row in rows)),
    )  # fmt: skip
