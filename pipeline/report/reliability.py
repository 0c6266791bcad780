"""Whether votes know when they are unsure: how often they are right, by how sure they are."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import binomtest

from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.report.plots import ALL_ARMS, INK, WIDTH, ArmStyle, Plot, csv_text
from pipeline.report.readings import Readings

DODGE = 0.004  # intervals of several votes stand side by side
BINS = 10  # of equal width over [0, 1]
FEWEST_IN_BIN = 20  # images; a point that stands for fewer says nothing


@dataclass(frozen=True)
class Bin:
    """Predictions of about one confidence."""

    confidence: float
    """Mean probability given to the prediction."""
    accuracy: float
    """Fraction right."""
    images: int
    low: float
    """Of the 95% interval of the accuracy (Wilson 1927)."""
    high: float


def reliability(known: Readings, styles: Mapping[str, ArmStyle], smoothing: Sequence[float]) -> Plot:
    """How often the votes are right, by how sure they are; `smoothing` is the label smoothing of all members."""
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
        rows += [[name, *astuple(b), errors[name]] for b in bins]
    lowest = min(row[i] for row in rows for i in (1, 4))
    axes.set(xlabel="probability given to the prediction", ylabel="fraction right", ylim=(lowest - 0.03, 1.01))
    axes.set_xlim(min(row[1] for row in rows) - 0.03, 1.02)
    axes.legend(title="expected calibration error")
    return Plot(
        "reliability",
        "Do they know when they are unsure?",
        figure,
        "On the diagonal, predictions made with 80% probability are right in 80% of the cases. Above it, the vote "
        f"is right more often than it says. Bars are 95% intervals (Wilson); no point stands for fewer than "
        f"{FEWEST_IN_BIN} images where there are as many.{_smoothing_in_words(smoothing)}",
        "Fraction of right predictions by the probability given to them. Expected calibration error: "
        + ", ".join(f"{name} {error:.4f}" for name, error in errors.items()) + ".",
        csv_text(["vote", *(field.name for field in fields(Bin)), "expected_calibration_error"], rows),
    )  # fmt: skip


def _smoothing_in_words(smoothing: Sequence[float]) -> str:
    largest = max(smoothing)
    return f" Label smoothing, here {largest:g}, makes networks less sure than they could be." if largest else ""


def calibration(truth: Any, probabilities: Any, fewest: int = FEWEST_IN_BIN) -> tuple[list[Bin], float]:
    """Reliability of the probabilities given to the predicted digits (Guo et al. 2017, arXiv:1706.04599).

    Args:
        truth: Digits, shape (n,).
        probabilities: Shape (n, 10).
        fewest: Neighbouring bins are joined until each holds so many images, if there are as many.

    Returns:
        The bins, the least confident first; and the expected calibration error: the mean over images of the distance
        between confidence and accuracy in their bin, before any are joined.
    """
    guesses = predicted_labels(probabilities)
    confidence = probabilities[np.arange(len(guesses)), guesses]
    right = guesses == truth
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    parts = [np.flatnonzero(bin_of == b) for b in np.unique(bin_of)]
    error = sum(abs(float((confidence[part] - right[part]).sum())) for part in parts) / len(guesses)
    return [_bin(confidence[part], right[part]) for part in _joined(parts, fewest)], error


def _joined(parts: Sequence[NDArray[np.int64]], fewest: int) -> list[NDArray[np.int64]]:
    """Join each part that is too small with the next; the last, if too small, with the one before."""
    joined: list[NDArray[np.int64]] = [parts[0]]
    for part in parts[1:]:
        if len(joined[-1]) < fewest:
            joined[-1] = np.concatenate([joined[-1], part])
        else:
            joined.append(part)
    if len(joined) > 1 and len(joined[-1]) < fewest:
        joined[-2:] = [np.concatenate(joined[-2:])]
    return joined


def _bin(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Bin:
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return Bin(float(confidence.mean()), float(right.mean()), len(right), float(interval.low), float(interval.high))
