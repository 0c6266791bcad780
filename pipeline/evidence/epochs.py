"""The difference between two arms by epoch: is the last epoch like those before it?

The weights of one epoch at a high learning rate are a noisy snapshot, and the last epoch is one of them. The validation
images are the same in all epochs, so the intervals here are over pairs only: they hold for these images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evidence.intervals import Interval, student_interval


@dataclass(frozen=True)
class EpochSpan:
    """The difference in validation accuracy after one epoch, or on average over several, in percentage points."""

    first_epoch: int
    last_epoch: int
    difference: float
    """Mean over the pairs."""
    interval: Interval | None
    """95%, Student's t over the pairs; None with a single one."""
    first_ahead: int
    """Pairs in which the first arm is ahead."""
    second_ahead: int


def differences_by_epoch(curves: Sequence[NDArray[np.float64]]) -> list[EpochSpan]:
    """The difference after each epoch.

    Args:
        curves: For each pair, first minus second in percentage points by epoch, shape (epochs,).

    Returns:
        One span per epoch; none if pairs have no curves, or curves of several lengths.
    """
    table = _table(curves)
    return [_span(table[:, [i]], i + 1) for i in range(table.shape[1])]


def late_difference(curves: Sequence[NDArray[np.float64]]) -> EpochSpan | None:
    """The mean difference over the last third of the epochs; None if these are fewer than two."""
    table = _table(curves)
    epochs = table.shape[1]
    late = epochs // 3
    return _span(table[:, -late:], epochs - late + 1) if late > 1 else None


def _table(curves: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.array(curves) if len({len(curve) for curve in curves}) == 1 else np.empty((0, 0))


def _span(differences: Any, first_epoch: int) -> EpochSpan:
    """Of the differences of pairs, shape (pairs, epochs)."""
    means = differences.mean(axis=1).round(9)  # so that a difference of nothing is 0
    return EpochSpan(
        first_epoch=first_epoch,
        last_epoch=first_epoch + differences.shape[1] - 1,
        difference=float(means.mean()),
        interval=student_interval(means),
        first_ahead=int((means > 0).sum()),
        second_ahead=int((means < 0).sum()),
    )
