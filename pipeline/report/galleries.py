"""The report's pictures of digits: mistakes, where arms differ, what is least sure, distortions."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from pipeline.config.schema import AugmentConfig
from pipeline.data.augment import draw_transforms, positions
from pipeline.data.digits import CLASSES, SIDE, Digits
from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.report.plots import csv_text
from pipeline.report.readings import Readings
from pipeline.report.words import joined
from pipeline.training.draws import UNDISTORTED

SHOWN = 24  # of the least sure
MOST = 96  # tiles; the others are in the CSV only
VARIANTS = 4  # of each digit
GAP = 2  # pixels between them


@dataclass(frozen=True)
class Tile:
    """A digit with its readings."""

    png: str
    """The picture as a data URI, dark ink on white."""
    alt: str
    head: str
    """Its digit, or, where nobody knows that, its id."""
    lines: list[str]
    """Its id, where it is not the head, and the reading of the vote and of the arms, such as "relu 9, 98%"."""


@dataclass(frozen=True)
class Gallery:
    """Digits that have something in common."""

    name: str
    """Of its CSV file, without the ending."""
    title: str
    caption: str
    tiles: list[Tile]
    csv: str


@dataclass(frozen=True)
class Picture:
    """One picture of many digits."""

    png: str
    alt: str
    caption: str


def mistakes(known: Readings) -> Gallery | None:
    """What the vote of all misreads, the surest mistakes first; None if there is nothing."""
    return _gallery(known, known.mistakes, "mistakes", "What the vote misreads", "the surest mistakes first")


def disagreements(read: Readings) -> Gallery | None:
    """The images that the arms' votes read differently; None if there is none."""
    guesses = np.array([predicted_labels(vote) for vote in read.votes.values()])
    rows = np.flatnonzero((guesses != guesses[0]).any(axis=0))
    rows = rows[np.argsort(-read.certainty[rows], kind="stable")]
    title = f"Where {joined(list(read.votes))} read differently"
    return _gallery(read, rows, "disagreements", title, "the surest votes first")


def least_sure(read: Readings) -> Gallery | None:
    """The images that the vote of all is least sure of."""
    rows = np.argsort(read.certainty, kind="stable")[:SHOWN]
    return _gallery(read, rows, "least-sure", "What the vote is least sure of", "the least sure first")


def _gallery(read: Readings, rows: NDArray[np.int64], name: str, title: str, order: str) -> Gallery | None:
    if not len(rows) or not len(read.images):
        return None
    tiles = [_tile(read, row) for row in rows[:MOST]]
    ids = (
        "ImageId is that of the submission" if read.id_name == "ImageId" else "train_row counts train.csv's rows from 0"
    )
    caption = f"{len(rows):,} of {len(read.ids):,} {read.where} images, {order}. Below each, what it is read as"
    caption += f", and how surely; {ids}."
    if len(rows) > MOST:
        caption += f" {MOST} are pictured, all are in the CSV."
    votes, is_known = {"vote": read.vote, **read.votes}, len(read.truth) > 0
    return Gallery(
        name,
        title,
        caption,
        tiles,
        csv_text([read.id_name, *["digit"] * is_known, *(f"{a}_{x}" for a in votes for x in ("reads", "probability"))],
             ([read.ids[row], *read.truth[row : row + is_known],
               *(x for v in votes.values() for x in (v[row].argmax(), v[row].max()))] for row in rows)),
    )  # fmt: skip


def _tile(read: Readings, row: int) -> Tile:
    votes = read.votes if len(read.votes) == 1 else {"vote": read.vote, **read.votes}
    reads = [f"{name} {vote[row].argmax()}, {vote[row].max():.0%}" for name, vote in votes.items()]
    name = f"{read.id_name} {read.ids[row]}"
    digit = str(read.truth[row]) if len(read.truth) else "digit"
    head, lines = (f"is {digit}", [name, *reads]) if len(read.truth) else (name, reads)
    return Tile(_png(read.images[row]), f"A handwritten {digit}, {name}. Readings: {'; '.join(reads)}.", head, lines)


def distortions(configs: Sequence[AugmentConfig], digits: Digits) -> Picture | None:
    """Labelled digits as the training distorts them; None where it does not, or the images are not at hand."""
    config = configs[0]
    if replace(config, clean_epochs=0) == UNDISTORTED or len(set(configs)) > 1 or not len(digits.images):
        return None
    originals = digits.images[[int(np.argmax(digits.labels == digit)) for digit in range(CLASSES)]]
    transforms = draw_transforms(config, VARIANTS * CLASSES, np.random.default_rng(0))
    distorted = distort(np.tile(originals, (VARIANTS, 1, 1)), transforms)
    tiles = np.pad(np.concatenate([originals, distorted]), ((0, 0), (GAP, GAP), (GAP, GAP)))
    size = SIDE + 2 * GAP
    grid = (
        tiles.reshape(VARIANTS + 1, CLASSES, size, size).swapaxes(1, 2).reshape((VARIANTS + 1) * size, CLASSES * size)
    )
    caption = "One training image of each digit in the first row; below, as the training may distort it."
    if config.clean_epochs:
        last = "last epoch sees" if config.clean_epochs == 1 else f"last {config.clean_epochs} epochs see"
        caption += f" The {last} the images as they are."
    return Picture(_png(grid), "Ten digits, and four distortions of each below it.", caption)


def distort(images: NDArray[np.uint8], transforms: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Images, shape (n, 28, 28), resampled as `apply_transforms` does it in the training, to whole grey levels."""
    x, y = (each.reshape(-1, SIDE, SIDE) for each in positions(transforms, SIDE, np))
    resampled = [
        map_coordinates(image.astype(np.float32), [down, right], order=1, mode="grid-constant")
        for image, down, right in zip(images, y, x, strict=True)
    ]
    return np.round(resampled).astype(np.uint8)


def _png(pixels: NDArray[Any]) -> str:
    """Grey levels, dark ink on white, as a data URI."""
    stream = io.BytesIO()
    imsave(stream, 255 - pixels, cmap="gray", vmin=0, vmax=255, format="png", origin="upper", metadata={})
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
