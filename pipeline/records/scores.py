"""How predictions score: errors, accuracy, log loss."""

from dataclasses import dataclass
from typing import Any

import numpy as np

TINY = 1e-7  # probability below which a loss counts no further


@dataclass(frozen=True)
class Score:
    """How one set of predictions did."""

    images: int
    """Number of images predicted."""
    errors: int
    """Number of them predicted wrong."""

    @property
    def accuracy(self) -> float:
        """Fraction predicted right."""
        return 1 - self.errors / self.images


def log_loss(of_truth: Any) -> float:
    """The mean log loss, in nats, from the probabilities given to the right digits, float64 of shape (n,)."""
    return float(-np.log(np.maximum(of_truth, TINY)).mean())
