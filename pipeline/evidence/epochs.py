"""The difference between two arms by epoch: intervals are over pairs, so they hold for these validation images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.evidence.intervals import Interval, student_interval


@dataclass(frozen=True)
class EpochDifference:
    """The difference in validation accuracy after an epoch, in percentage points."""

    epoch: int
    difference: float
    """Mean over the pairs."""
    interval: Interval | None
    """95%, Student's t over the pairs; None with a single one."""
    first_ahead: int
    """Pairs in which the first arm is ahead."""
    second_ahead: int


def differences_by_epoch(curves: Sequence[NDArray[np.float64]]) -> list[EpochDifference]:
    """The difference after each epoch.

    Args:
        curves: For each pair, first minus second in percentage points by epoch, shape (epochs,).

    Returns:
        None at all if pairs have no curves, or curves of several lengths.
    """
    if len({len(curve) for curve in curves}) != 1:
        return []
    table = np.array(curves).round(9)  # so that a difference of nothing is 0
    return [
        EpochDifference(
            epoch=epoch,
            difference=float(points.mean()),
            interval=student_interval(points),
            first_ahead=int((points > 0).sum()),
            second_ahead=int((points < 0).sum()),
        )
        for epoch, points in enumerate(table.T, 1)
    ]
