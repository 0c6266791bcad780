"""An activation as a trained network applies it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ActivationCurve:
    """An activation as a trained network applies it, in one layer or in several that are alike."""

    layers: int
    """How many layers apply this very function."""
    beta: float | None
    """The learned β of swish_beta."""
    x: list[float]
    y: list[float]
