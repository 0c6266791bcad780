"""The finished members of a run."""

from collections.abc import Mapping, Sequence

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec
from pipeline.records.members import Member, read_member
from pipeline.records.run_folder import RunFolder


def read_finished(folder: RunFolder, specs: Sequence[MemberSpec], failed: Mapping[str, str]) -> list[Member]:
    """Read the members of a run that did not fail, in the order of their specs.

    Args:
        folder: The run's folder; it holds all members but those that failed.
        specs: The run's members.
        failed: Ids of the members that failed, each with the reason.

    Raises:
        RunError: all of them failed.
    """
    finished = [read_member(folder.member(spec), spec) for spec in specs if spec.id not in failed]
    if not finished:
        reasons = "\n".join(f"  - {member}: {reason}" for member, reason in failed.items())
        raise RunError(f"no member could be trained:\n{reasons}")
    return finished
