"""The figures of the ensembles' predictions: which digits they confuse, and whether they know when they are unsure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from pipeline.data.digits import CLASSES
from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.report.plots import ALL_ARMS, INK, PALETTE, WIDTH, ArmStyle, Plot, csv_text
from pipeline.report.scored_images import FEWEST_IN_BIN, ScoredImages, calibration

STRONGEST = 0.5  # opacity of the most frequent mistake: numbers stay readable on it, dark or light
DODGE = 0.004  # intervals of several ensembles stand side by side


def confusions(known: ScoredImages) -> Plot:
    """True against predicted digits of the ensemble of all members."""
    matrix = confusion_matrix(known.truth, predicted_labels(known.vote), labels=range(CLASSES))
    mistakes = matrix - np.diag(np.diag(matrix))
    shades = np.empty((CLASSES, CLASSES, 4))
    shades[..., :3] = to_rgb(PALETTE[0])
    shades[..., 3] = STRONGEST * mistakes / max(mistakes.max(), 1)
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
        f"How the ensemble of all networks reads {len(known.truth):,} {known.where} images. Mistakes are coloured: the "
        f"stronger, the more frequent.{worst}",
        f"Confusion matrix of the ensemble of all networks: {mistakes.sum()} mistakes.{worst}",
        csv_text(["digit", *range(CLASSES)], ([digit, *row] for digit, row in enumerate(matrix.tolist()))),
    )


def reliability(known: ScoredImages, styles: Mapping[str, ArmStyle], smoothing: Sequence[float]) -> Plot:
    """How often the ensembles are right, by how sure they are; `smoothing` is the label smoothing of all members."""
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.4, lw=1)
    votes = {arm: (probabilities, styles[arm]) for arm, probabilities in known.votes.items()}
    if len(votes) > 1:
        votes["all"] = (known.vote, ALL_ARMS)
    rows: list[list[Any]] = []
    errors = {}
    for place, (name, (probabilities, style)) in enumerate(votes.items()):
        bins, errors[name] = calibration(known.truth, probabilities)
        confidence, accuracy = np.array([(b.confidence + DODGE * place, b.accuracy) for b in bins]).T
        reach = np.array([(b.accuracy - b.low, b.high - b.accuracy) for b in bins]).T
        axes.errorbar(confidence, accuracy, reach, color=style.color, ls=style.line, marker=style.marker, ms=5,
                      elinewidth=1, label=f"{name}: {errors[name]:.4f}")  # fmt: skip
        rows += [[name, b.confidence, b.accuracy, b.low, b.high, b.images, errors[name]] for b in bins]
    lowest = min(row[i] for row in rows for i in (1, 3))
    axes.set(xlabel="probability given to the prediction", ylabel="fraction right", ylim=(lowest - 0.03, 1.01))
    axes.set_xlim(min(row[1] for row in rows) - 0.03, 1.02)
    axes.legend(title="expected calibration error")
    return Plot(
        "reliability",
        "Do they know when they are unsure?",
        figure,
        "On the diagonal, predictions made with 80% probability are right in 80% of the cases. Above it, the ensemble "
        f"is right more often than it says. Bars are 95% intervals (Wilson); no point stands for fewer than "
        f"{FEWEST_IN_BIN} images where there are as many.{_smoothing_in_words(smoothing)}",
        "Fraction of right predictions by the probability given to them. Expected calibration error: "
        + ", ".join(f"{name} {error:.4f}" for name, error in errors.items()) + ".",
        csv_text(["ensemble", "confidence", "accuracy", "low", "high", "images", "expected_calibration_error"], rows),
    )  # fmt: skip


def _smoothing_in_words(smoothing: Sequence[float]) -> str:
    largest = max(smoothing)
    return f" Label smoothing, here {largest:g}, makes networks less sure than they could be." if largest else ""
