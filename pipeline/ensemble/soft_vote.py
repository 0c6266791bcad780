"""Soft voting: probabilities to probabilities to labels.

Every member has the same weight. Sums are float64 and in the order of the members, so the result does not depend on
which member finished first.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def soft_vote(probabilities: Sequence[Any]) -> NDArray[np.float64]:
    """The mean of the members' probabilities.

    Args:
        probabilities: One array of shape (n, classes) per member; at least one.

    Returns:
        float64 of shape (n, classes).

    Raises:
        ValueError: no member, members of different shapes, or probabilities that are no finite numbers.

    Example:
        One sure member outvotes two that hesitate:

        >>> from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
        >>> vote = soft_vote([[[0.9, 0.1]], [[0.4, 0.6]], [[0.4, 0.6]]])
        >>> print(vote.round(3))
        [[0.567 0.433]]
        >>> print(predicted_labels(vote))
        [0]
    """
    if not probabilities:
        raise ValueError("soft_vote needs the probabilities of at least one network. Received: none")
    shapes = {np.shape(p) for p in probabilities}
    if len(shapes) > 1:
        raise ValueError(f"soft_vote needs networks of one shape. Received: {sorted(shapes)}")
    vote = np.mean(np.asarray(probabilities, dtype=np.float64), axis=0)
    if not np.isfinite(vote).all():
        raise ValueError("soft_vote needs finite probabilities. Received: some that are not")
    return vote


def predicted_labels(probabilities: Any) -> NDArray[np.int64]:
    """The most probable class of each row of (n, classes); the lowest of those that tie. int64 of shape (n,)."""
    return np.argmax(probabilities, axis=1).astype(np.int64)
