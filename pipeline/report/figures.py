"""The report's figures: each with a caption that says what to see, a text for those who cannot, and its numbers."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.evidence.verdict import MARGIN, Paired
from pipeline.records.members import Member, group_by_arm
from pipeline.report.scored_images import ScoredImages, calibration

WIDTH = 5.0  # inches of every figure; on a phone, 360 pixels wide, letters of 10 points are 10 pixels high


@dataclass(frozen=True)
class Plot:
    """One figure."""

    figure: Figure
    caption: str
    alt: str
    csv: str
    """Its numbers."""


def learning_curves(members: Sequence[Member]) -> Plot:
    """Loss and, if there is one, validation accuracy by epoch, per arm."""
    validated = all("validation_accuracy" in m.history[0] for m in members)
    panels = [("loss", "training loss"), *([("validation_accuracy", "validation accuracy")] if validated else [])]
    figure = Figure(figsize=(WIDTH, 3.2 * len(panels)), layout="constrained")
    for axes, (key, title) in zip(np.atleast_1d(figure.subplots(len(panels), 1)), panels, strict=True):
        for color, (arm, group) in enumerate(group_by_arm(members).items()):
            curves = np.array([[record[key] for record in m.history] for m in group])
            epochs = np.arange(1, curves.shape[1] + 1)
            axes.plot(epochs, curves.mean(axis=0), color=f"C{color}", label=arm, marker="." if len(epochs) < 3 else "")
            axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=f"C{color}", alpha=0.2, lw=0)
        axes.set(title=title, xlabel="epoch")
        axes.legend()
    return Plot(
        figure,
        "Learning curves: the line is the mean over an arm's members, the band spans its lowest and highest member. "
        "Where bands overlap, a single network of one arm may beat a single network of the other.",
        "Training loss and validation accuracy by epoch, one line per activation.",
        csv_text(
            ["arm", "seed", "fold", "epoch", *(key for key, _ in panels)],
            ([m.arm, m.spec.seed, m.spec.fold, int(r["epoch"]), *(r[k] for k, _ in panels)]
             for m in members for r in m.history),
        ),
    )  # fmt: skip


def epoch_times(members: Sequence[Member]) -> Plot:
    """Seconds per epoch, per arm."""
    groups = group_by_arm(members)
    figure = Figure(figsize=(WIDTH, 0.8 + 0.5 * len(groups)), layout="constrained")
    axes = figure.subplots()
    axes.boxplot([[s for m in group for s in m.seconds_per_epoch] for group in groups.values()],
                 orientation="horizontal", tick_labels=list(groups), showfliers=False)  # fmt: skip
    axes.invert_yaxis()
    axes.set(xlabel="seconds per epoch", xlim=(0, None))
    return Plot(
        figure,
        "Seconds per epoch, training and validation; each member's first epoch, which pays for compilation, is left "
        "out. Boxes that overlap much mean that the activation costs next to nothing. Epochs far beyond their box, as "
        "on a machine that was busy with something else, are among the numbers only.",
        "Box plot of the wall seconds of each epoch, one box per activation.",
        csv_text(["arm", "seed", "fold", "seconds"],
             ([m.arm, m.spec.seed, m.spec.fold, s] for m in members for s in m.seconds_per_epoch)),
    )  # fmt: skip


def paired_differences(paired: Sequence[Paired]) -> Plot:
    """The difference of each pair, and the mean with its interval, per two arms."""
    figure = Figure(figsize=(WIDTH, 1 + 0.8 * len(paired)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-MARGIN, MARGIN, color="0.9")
    axes.axvline(0, color="0.5", lw=1)
    for height, result in enumerate(paired):
        axes.plot(result.points, [height + 0.2] * len(result.points), "|", color="C0", ms=12)
        if result.interval:
            axes.plot(result.interval, [height] * 2, color="C1", lw=3)
        axes.plot(result.difference, height, "o", color="C1")
    axes.set(xlabel="difference in accuracy, percentage points", ylim=(len(paired) - 0.5, -0.5))
    axes.set_yticks(range(len(paired)), [f"{r.first} − {r.second}" for r in paired])
    return Plot(
        figure,
        "Differences between arms: one tick per pair of the same seed and fold, the dot their mean, the bar its 95% "
        f"interval over seeds and images (none for a single pair). Grey: closer than {MARGIN} points, as good as "
        "equal. A bar clear of zero shows a difference; a bar within the grey shows that there is none that matters.",
        "Difference in validation accuracy between each two activations, per pair and on average.",
        csv_text(["first", "second", "pair", "points"],
             ([r.first, r.second, i, p] for r in paired for i, p in enumerate(r.points))),
    )  # fmt: skip


def confusions(known: ScoredImages) -> Plot:
    """True against predicted digits of the ensemble of all members."""
    matrix = confusion_matrix(known.truth, predicted_labels(known.vote), labels=range(10))
    mistakes = matrix - np.diag(np.diag(matrix))
    figure = Figure(figsize=(WIDTH, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(mistakes, cmap="Blues")
    for truth, guess in np.argwhere(matrix):
        bright = mistakes[truth, guess] > mistakes.max() / 2
        axes.text(guess, truth, matrix[truth, guess], ha="center", va="center", fontsize=7,
                  color="white" if bright and truth != guess else "black")  # fmt: skip
    axes.set(xlabel="read as", ylabel="digit", xticks=range(10), yticks=range(10))
    return Plot(
        figure,
        f"Confusion matrix of the ensemble of all members on {len(known.truth):,} {known.where} images. Only mistakes "
        "are coloured: the darker, the more often one digit is read as another.",
        "How often each digit is read as each other by the ensemble of all members.",
        csv_text(["digit", *range(10)], ([digit, *row] for digit, row in enumerate(matrix.tolist()))),
    )


def reliability(known: ScoredImages) -> Plot:
    """How often the ensembles are right, by how sure they are."""
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    rows = []
    for arm, probabilities in {**known.votes, "all": known.vote}.items():
        found, error = calibration(known.truth, probabilities)
        axes.plot([c for c, _, _ in found], [a for _, a, _ in found], ".-", label=f"{arm}: {error:.4f}")
        rows += [[arm, *values, error] for values in found]
    axes.set(xlabel="probability given to the prediction", ylabel="fraction right")
    axes.legend(title="expected calibration error")
    return Plot(
        figure,
        "Reliability: on the diagonal, predictions made with 80% probability are right in 80% of the cases. Above it, "
        "the ensemble is right more often than it says; label smoothing does that.",
        "Fraction of right predictions against the probability given to them, one line per ensemble.",
        csv_text(["ensemble", "confidence", "accuracy", "images", "expected_calibration_error"], rows),
    )


def activation_curves(members: Sequence[Member]) -> Plot | None:
    """The activations as the trained networks apply them, and their slopes; None if no member recorded them."""
    if not any(member.activations for member in members):
        return None
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    values, slopes = figure.subplots(2, 1)
    rows = []
    for color, (arm, group) in enumerate(group_by_arm(members).items()):
        for member in group:
            for curve in member.activations:
                x, y = np.array(curve.x), np.array(curve.y)
                label = arm if member is group[0] and curve is member.activations[0] else None
                values.plot(x, y, color=f"C{color}", alpha=0.7, lw=1, label=label)
                slopes.plot(x, np.gradient(y, x), color=f"C{color}", alpha=0.7, lw=1, label=label)
                rows.append([arm, member.spec.seed, member.spec.fold, curve.layers, curve.beta])
    values.set(title="activation", xlabel="x")
    slopes.set(title="slope", xlabel="x")
    values.legend()
    betas = [curve.beta for m in members for curve in m.activations if curve.beta is not None]
    learned = f" β, which starts at 1, ended between {min(betas):.3f} and {max(betas):.3f}." if betas else ""
    return Plot(
        figure,
        "The activations as the trained networks apply them, read off the networks, one line per layer where layers "
        "differ." + learned,
        "Value and slope of each activation between -5 and 5.",
        csv_text(["arm", "seed", "fold", "layers", "beta"], rows),
    )


def csv_text(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """The numbers of a figure as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
