"""Many members: which ones are missing, what trains them, and who is notified."""

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pipeline.config.schema import MemberSpec
from pipeline.data.digits import Digits
from pipeline.device.host import installed_version
from pipeline.records.finished import FinishedMembers
from pipeline.records.members import Member
from pipeline.records.run_folder import RunFolder
from pipeline.training.limits import Limits
from pipeline.training.messages import Progress

DECIDE_BITS = ("keras", "tensorflow", "jax")  # packages of another version of which a member has other bits


class Observer(Protocol):
    """Whoever follows the training."""

    def begin(self, finished: Sequence[MemberSpec], total: int, /) -> None:
        """These of the run's members were finished before."""

    def watch(self, spec: MemberSpec, progress: Progress, /) -> None:
        """A member has come so far."""

    def finished(self, spec: MemberSpec, /) -> None:
        """A member is finished and in its folder."""

    def failed(self, spec: MemberSpec, reason: str, /) -> None:
        """A member is left out."""

    def warn(self, text: str, /) -> None:
        """Something went wrong that the run survives."""


class Engine(Protocol):
    """Whatever trains members and commits each to its folder: processes here, or a cluster."""

    def run(self, specs: Sequence[MemberSpec], digits: Digits, observer: Observer, limits: Limits) -> dict[str, str]:
        """Train members.

        They are started in this order, on data without held-back labels. Training ends soon after `limits.over`, with
        members in flight left at their checkpoints. Only members are started that `limits.allow`, and `limits.measure`
        takes how long each epoch took.

        Returns:
            The ids of members that failed, each with the reason; not of those that the limits left out.

        Raises:
            RunError: nothing can be trained at all.
        """


def train_members(
    engine: Engine,
    specs: Sequence[MemberSpec],
    digits: Digits,
    folder: RunFolder,
    members: FinishedMembers,
    observer: Observer,
    limits: Limits,
) -> tuple[list[Member], dict[str, str], dict[str, str]]:
    """Train the members that the run's folder does not hold yet; `members` are those that it holds.

    Returns:
        All finished members; the ids of those that failed, and of those that the limits left out, each with the reason.

    Raises:
        RunError: nothing can be trained at all.
    """
    finished, missing = members.among(specs)
    observer.begin([member.spec for member in finished], len(specs))
    _take_in(finished, folder, observer, limits)
    for spec, reason in missing.items():
        if folder.member(spec).exists():
            observer.warn(f"{reason}; it is trained again")
    blind = replace(digits, held_back_labels=None)  # so that nothing could train on them
    failed = engine.run(list(missing), blind, observer, limits)
    finished, absent = members.among(spec for spec in specs if spec.id not in failed)
    return finished, failed, {spec.id: limits.reason or reason for spec, reason in absent.items()}


def _take_in(finished: Sequence[Member], folder: RunFolder, observer: Observer, limits: Limits) -> None:
    """Learn from the members that were finished before, and tidy up after them."""
    strangers: dict[str, list[str]] = defaultdict(list)
    for member in finished:
        shutil.rmtree(folder.checkpoints(member.spec), ignore_errors=True)  # its worker was killed before it could
        for record in member.history:
            limits.measure(member.spec, record["seconds"])
        if versions := other_versions(member.environment):
            strangers[versions].append(member.spec.id)
    for versions, ids in strangers.items():
        observer.warn(f"finished networks that vote as they are, though trained with {versions}: {', '.join(ids)}")


def other_versions(environment: dict[str, str]) -> str:
    """Versions that a member was trained with and that are others here, in words; empty if there are none."""
    return ", ".join(
        f"{package} {environment[package]} (here {installed_version(package)})"
        for package in DECIDE_BITS
        if package in environment and environment[package] != installed_version(package)
    )
