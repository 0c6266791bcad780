"""The finished members of a run."""

from collections.abc import Mapping, Sequence

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec
from pipeline.records.members import Member, read_member
from pipeline.records.run_folder import RunFolder


def read_finished(folder: RunFolder, specs: Sequence[MemberSpec], absent: Mapping[str, str]) -> list[Member]:
    """Read the finished members of a run, in the order of their specs.

    Args:
        folder: The run's folder; it holds all members but the absent ones.
        specs: The run's members.
        absent: Ids of the members that failed or were left out, each with the reason.

    Raises:
        RunError: all of them are absent.
    """
    finished = [read_member(folder.member(spec), spec) for spec in specs if spec.id not in absent]
    if not finished:
        reasons = "\n".join(f"  - {member}: {reason}" for member, reason in absent.items())
        raise RunError(f"no member could be trained to its end, so there is no submission:\n{reasons}")
    return finished
