"""What the vote of all networks reads: by digit, confused with which other, how surely, and how often."""

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.data.digits import CLASSES
from pipeline.report.plots import PALETTE, WIDTH, Plot, csv_text
from pipeline.report.readings import Readings

STRONGEST = 0.5  # opacity of the most frequent mistake: numbers stay readable on it, dark or light
DOUBTFUL = 0.9  # of a vote


@dataclass(frozen=True)
class DigitScore:
    """How the vote reads one digit."""

    digit: int
    right: int
    wrong: int
    recall: float | None
    """Of its images, the fraction read right."""
    precision: float | None
    """Of the images read as it, the fraction that are it."""


def by_digit(known: Readings) -> list[DigitScore]:
    """How the vote of all reads each digit."""
    matrix = _confusion_matrix(known)
    right, images, read = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        DigitScore(d, int(right[d]), int(images[d] - right[d]),
                   float(right[d] / images[d]) if images[d] else None, float(right[d] / read[d]) if read[d] else None)
        for d in range(CLASSES)
    ]  # fmt: skip


def _confusion_matrix(known: Readings) -> NDArray[np.int64]:
    """How often a digit, by row, is read as another, by column; shape (10, 10)."""
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(matrix, (known.truth, known.guesses), 1)
    return matrix


def confusions(known: Readings) -> Plot:
    """True against predicted digits of the vote of all."""
    matrix = _confusion_matrix(known)
    mistakes = matrix - np.diag(np.diag(matrix))
    shades = np.empty((CLASSES, CLASSES, 4))
    shades[..., :3] = to_rgb(PALETTE[1])
    shades[..., 3] = STRONGEST * mistakes / max(int(mistakes.max()), 1)
    figure = Figure(figsize=(WIDTH, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shades, interpolation="none")
    for truth, guess in np.argwhere(matrix):
        axes.text(guess, truth, matrix[truth, guess], ha="center", va="center", fontsize=8)
    axes.set(xlabel="read as", ylabel="digit", xticks=range(CLASSES), yticks=range(CLASSES))
    most = np.unravel_index(mistakes.argmax(), mistakes.shape)
    worst = f" Most often, {most[0]} is read as {most[1]}: {mistakes[most]} times." if mistakes.any() else ""
    return Plot(
        "confusions",
        "Which digits are confused",
        figure,
        f"How the vote of all networks reads {len(known.ids):,} {known.where} images. Mistakes are coloured: the "
        f"stronger, the more frequent.{worst}",
        f"Confusion matrix of the vote of all networks: {mistakes.sum()} mistakes.{worst}",
        csv_text(["digit", *(f"read_as_{d}" for d in range(CLASSES))],
             ([digit, *row] for digit, row in enumerate(matrix.tolist()))),
    )  # fmt: skip


def certainty(read: Readings) -> Plot:
    """How sure the vote of all is of its predictions."""
    edges = np.array([0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1])
    counts = np.histogram(read.certainty, edges)[0]
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    bars = axes.bar(range(len(counts)), counts, color=PALETTE[0])
    axes.bar_label(bars, [f"{number:,}" if number else "" for number in counts], fontsize=8)
    axes.set_xticks(np.arange(len(edges)) - 0.5, [f"{100 * edge:.0f}" for edge in edges])
    axes.set(xlabel="probability given to the prediction, %", ylabel="images", yscale="symlog", ylim=(0, None))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    doubtful = int((read.certainty < DOUBTFUL).sum())
    text = f"Of {len(read.ids):,} images to predict, the vote is less than {DOUBTFUL:.0%} sure of {doubtful:,}."
    return Plot(
        "certainty",
        "How sure is the vote?",
        figure,
        text + " Bars by how sure it is, on a logarithmic scale.",
        "Histogram of the probabilities given to the predictions. " + text,
        csv_text(["from", "to", "images"], zip(edges[:-1], edges[1:], counts.tolist(), strict=True)),
    )


def shares(read: Readings, labels: NDArray[np.uint8]) -> Plot:
    """The shares of the digits among the predictions, against those among the labels, shape (n,)."""
    parts = {
        name: np.bincount(of, minlength=CLASSES) / len(of)
        for name, of in (("labelled", labels), ("predicted", read.guesses))
    }
    figure = Figure(figsize=(WIDTH, 3), layout="constrained")
    axes = figure.subplots()
    for place, (name, share) in enumerate(parts.items()):
        axes.bar(np.arange(CLASSES) + 0.4 * place - 0.2, 100 * share, 0.4, color=PALETTE[place], label=name)
    axes.set(xlabel="digit", ylabel="share, %", xticks=range(CLASSES), ylim=(0, 130 * max(map(max, parts.values()))))
    axes.legend(ncols=2)
    difference = 100 * (parts["predicted"] - parts["labelled"])
    most = int(np.abs(difference).argmax())
    text = f"They differ most in the {most}, by {difference[most]:+.1f} points."
    return Plot(
        "shares",
        "How often is each digit predicted?",
        figure,
        f"The shares of the digits among the predictions and among the labelled images. {text} A digit that is far off "
        "is a sign of images unlike those trained on.",
        f"Bars of the share of each digit, labelled and predicted. {text}",
        csv_text(["digit", "labelled", "predicted"], zip(range(CLASSES), *map(list, parts.values()), strict=True)),
    )
