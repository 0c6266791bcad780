"""Many members: which of a run's are missing, who trains them, and who is told."""

from collections.abc import Sequence
from typing import Protocol

from pipeline.config.schema import MemberSpec
from pipeline.data.digits import Digits
from pipeline.records.members import invalid_reason
from pipeline.records.run_folder import RunFolder
from pipeline.training.messages import Progress


class Observer(Protocol):
    """Whoever follows the training."""

    def begin(self, finished: int, total: int, /) -> None:
        """So many of the run's members were finished before."""

    def watch(self, spec: MemberSpec, progress: Progress, /) -> None:
        """A member has come so far."""

    def warn(self, text: str, /) -> None:
        """Something went wrong that the run survives."""


class Engine(Protocol):
    """Whatever trains members and commits each to its folder: processes here, or a cluster."""

    def run(self, specs: Sequence[MemberSpec], digits: Digits, observer: Observer) -> dict[str, str]:
        """Train members.

        Args:
            specs: The members, in the order to start them.
            digits: The data they share.
            observer: Is told how each member does.

        Returns:
            The ids of members that failed, each with the reason.

        Raises:
            RunError: nothing can be trained at all.
        """


def train_members(
    engine: Engine, specs: Sequence[MemberSpec], digits: Digits, folder: RunFolder, observer: Observer
) -> dict[str, str]:
    """Train the members that the run's folder does not hold yet.

    Returns:
        The ids of members that failed, each with the reason.

    Raises:
        RunError: nothing can be trained at all.
    """
    data_digest = digits.digest()
    reasons = {spec: invalid_reason(folder.member(spec), spec, data_digest) for spec in specs}
    missing = [spec for spec, reason in reasons.items() if reason]
    observer.begin(len(specs) - len(missing), len(specs))
    for spec in missing:
        if folder.member(spec).exists():
            observer.warn(f"{reasons[spec]}; it is trained again")
    return engine.run(missing, digits, observer)
