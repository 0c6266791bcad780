"""Progress of the members: one bar each on a terminal, plain lines in a log."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a member is, for whoever watches."""

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    record: dict[str, float] | None = None
    """The epoch's entry in the history, with the epoch's last report only."""
    warning: str | None = None
