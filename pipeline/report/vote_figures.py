"""What the vote of all networks reads: by digit, confused with which other, how surely, and how often."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.data.digits import CLASSES
from pipeline.report.plots import PALETTE, WIDTH, Plot
from pipeline.report.readings import Readings

STRONGEST = 0.5  # opacity of the most frequent mistake: numbers stay readable on it, dark or light
DOUBTFUL = 0.9  # of a vote


def by_digit(known: Readings) -> list[list[str]]:
    """How the vote of all reads each digit: the digit, right, wrong, recall and precision; empty where undefined."""
    matrix = known.confusion
    counts = zip(np.diag(matrix).tolist(), matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist(), strict=True)
    return [
        [str(digit), f"{right:,}", f"{images - right:,}", _share(right, images), _share(right, read)]
        for digit, (right, images, read) in enumerate(counts)
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else ""


def confusions(known: Readings) -> Plot:
    """True against predicted digits of the vote of all."""
    matrix = known.confusion
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
        "Which digits are confused",
        figure,
        f"How the vote of all networks reads {len(known.ids):,} {known.where} images. Mistakes are coloured: the "
        f"stronger, the more frequent.{worst}",
        f"Confusion matrix of the vote of all networks: {mistakes.sum()} mistakes.{worst}",
    )


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
        "How sure is the vote?",
        figure,
        text + " Bars by how sure it is, on a logarithmic scale.",
        "Histogram of the probabilities given to the predictions. " + text,
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
        "How often is each digit predicted?",
        figure,
        f"The shares of the digits among the predictions and among the labelled images. {text} A digit that is far off "
        "is a sign of images unlike those trained on.",
        f"Bars of the share of each digit, labelled and predicted. {text}",
    )
