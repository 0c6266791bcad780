"""What a submission was made of and when, so that it is never taken for another's: submission.json beside it."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.config.errors import UserError
from pipeline.records.atomic import atomic_write_json, file_sha256
from pipeline.records.readers import DamagedError, damage_named, moment, read_sealed, sealed
from pipeline.records.run_folder import RunFolder


@dataclass(frozen=True)
class SubmissionRecord:
    """The record of a run's submission, or of a blend's."""

    members: dict[str, list[str]]
    """The networks that voted, by the run's name."""
    missing: int
    """How many networks the run or the runs lacked then."""
    runs: dict[str, str] = field(default_factory=dict)
    """Of a blend: the folder of each run, by the run's name."""
    scores: dict[str, Any] | None = None
    """Of the vote: images and errors in `whole`, their kind in `where`; None if nobody knows the digits. Of a blend,
    all that evidence/contributions.py judged."""
    written: str = ""
    """ISO 8601, UTC."""
    sha256: str = ""
    """Of the submission."""
    config_sha256: str | None = None
    """Of a run: of the config.json that it was written under."""

    @property
    def voters(self) -> int:
        """How many networks voted."""
        return sum(map(len, self.members.values()))

    @property
    def incomplete(self) -> str:
        """How many of the networks voted, in words; empty if all did."""
        return f"{self.voters} of {self.voters + self.missing} networks voted" if self.missing else ""

    @property
    def time(self) -> datetime:
        """When it was written."""
        return moment(self.written)


def record_submission(folder: RunFolder, submission: Path, made_of: SubmissionRecord) -> None:
    """Record a submission that is about to take its place in a folder: one that was cut off fits no record."""
    record = {
        **asdict(made_of),
        "written": datetime.now(UTC).isoformat(timespec="microseconds"),
        "sha256": file_sha256(submission),
        "config_sha256": file_sha256(folder.config) if folder.config.exists() else None,
    }
    atomic_write_json(folder.submission_record, sealed(record))


def read_submission_record(folder: RunFolder) -> SubmissionRecord | None:
    """The record of the submission in a folder; None if there is none.

    Raises:
        UserError: it is damaged.
    """
    try:
        with damage_named(folder.submission_record):
            record = SubmissionRecord(**read_sealed(folder.submission_record))
            moment(record.written)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        raise UserError(f"{error}. Give the run's or the blend's command again: nothing is trained twice.") from None
    return record


def recorded_voters(folder: RunFolder) -> int:
    """How many networks voted in the submission there; 0 without one that fits its record and the config."""
    try:
        record = read_submission_record(folder)
        if record and (record.sha256, record.config_sha256) == (
            file_sha256(folder.submission),
            file_sha256(folder.config),
        ):
            return record.voters
    except (OSError, UserError):
        pass
    return 0
