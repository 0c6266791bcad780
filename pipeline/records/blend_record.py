"""What a blend's submission was made of, so that it is never taken for another's."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.config.errors import UserError
from pipeline.records.atomic import atomic_write_json
from pipeline.records.run_folder import RunFolder


@dataclass(frozen=True)
class BlendRecord:
    """A blend: who voted, and what it scored."""

    submission_sha256: str
    runs: dict[str, str]
    """The folder of each run, by the run's name."""
    members: dict[str, list[str]]
    """The networks that voted, by the run's name."""
    missing: int
    """Networks that the runs lacked when they were blended."""
    scores: dict[str, Any] | None
    """As evidence/contributions.py judged it."""

    @property
    def networks(self) -> int:
        """How many networks there are to vote."""
        return sum(map(len, self.members.values()))


def write_blend(folder: RunFolder, blend: BlendRecord) -> None:
    """Write a blend's record, before its submission takes its place: one that was cut off fits no submission."""
    atomic_write_json(folder.blend, asdict(blend))


def read_blend(folder: RunFolder) -> BlendRecord:
    """The record of a blend.

    Raises:
        UserError: it is damaged.
    """
    from pydantic import TypeAdapter, ValidationError  # 0.1 s, which --help does not need

    try:
        return TypeAdapter(BlendRecord).validate_json(folder.blend.read_bytes())
    except ValidationError:
        raise UserError(f"{folder.blend} is damaged. Blend the runs again.") from None
