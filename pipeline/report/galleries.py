"""The report's pictures of digits that the networks find hard."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.report.plots import csv_text
from pipeline.report.scored_images import ScoredImages

SHOWN_DIGITS = 8  # at once; the others are folded
MOST_DIGITS = 64  # in all; the others are in the CSV only


@dataclass(frozen=True)
class Tile:
    """A digit with its readings."""

    png: str
    """The picture as a data URI, 28 x 28 pixels, dark ink on white."""
    alt: str
    digit: int
    readings: list[str]
    """Of each arm's ensemble, such as "relu 9, 98%"."""


@dataclass(frozen=True)
class Gallery:
    """Digits that have something in common."""

    name: str
    """Of its CSV file, without the ending."""
    title: str
    caption: str
    shown: list[Tile]
    folded: list[Tile]
    csv: str


def misread_by_all(known: ScoredImages) -> Gallery | None:
    """The images that no member reads right; None if there is none."""
    rows = np.flatnonzero(known.right == 0)
    why = "More networks of this kind would not help: the digit itself is hard to read."
    return _gallery(known, rows, "misread-by-all", "Digits that every network misreads", why)


def disagreements(known: ScoredImages) -> Gallery | None:
    """The images that the arms' ensembles read differently; None if there is none."""
    guesses = np.array([predicted_labels(vote) for vote in known.votes.values()])
    rows = np.flatnonzero((guesses != guesses[0]).any(axis=0))
    why = "Any difference in accuracy between the arms' ensembles comes from these alone."
    return _gallery(known, rows, "disagreements", "Digits that the arms read differently", why)


def _gallery(known: ScoredImages, rows: NDArray[np.int64], name: str, title: str, why: str) -> Gallery | None:
    """Some images with every arm's reading of them, the surest readings first."""
    if not len(rows) or not len(known.images):
        return None
    rows = rows[np.argsort(-known.vote[rows].max(axis=1), kind="stable")]
    tiles = [_tile(known, row) for row in rows[:MOST_DIGITS]]
    count = f"{len(rows):,} of {len(known.truth):,} {known.where} images, the surest readings first"
    if len(rows) > MOST_DIGITS:
        count += f" ({MOST_DIGITS} pictured, all in the CSV)"
    return Gallery(
        name,
        title,
        f"{count}; below each, every arm's reading and its probability. {why}",
        tiles[:SHOWN_DIGITS],
        tiles[SHOWN_DIGITS:],
        csv_text(["image", "digit", *(f"{arm}_{x}" for arm in known.votes for x in ("reads", "probability"))],
             ([row, known.truth[row], *(x for v in known.votes.values() for x in (v[row].argmax(), v[row].max()))]
              for row in rows)),
    )  # fmt: skip


def _tile(known: ScoredImages, row: int) -> Tile:
    stream = io.BytesIO()
    imsave(stream, 255 - known.images[row], cmap="gray", vmin=0, vmax=255, metadata={})
    picture = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    reads = [f"{arm} {vote[row].argmax()}, {vote[row].max():.0%}" for arm, vote in known.votes.items()]
    digit = int(known.truth[row])
    return Tile(picture, f"A handwritten {digit}. Readings: {'; '.join(reads)}.", digit, reads)
