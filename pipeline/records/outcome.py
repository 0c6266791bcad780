"""What a run's submission was made of and when, so that it is never taken for another's."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.config.errors import UserError
from pipeline.records.atomic import atomic_write_json, file_sha256
from pipeline.records.run_folder import RunFolder


@dataclass(frozen=True)
class Outcome:
    """A run's record of the submission that it wrote."""

    finished: str
    """When it was written: ISO 8601, UTC."""
    submission_sha256: str
    config_sha256: str
    """Of the config.json that it was written under."""
    voters: int
    """How many members voted."""
    members: int
    """How many members the config asks for."""

    @property
    def is_partial(self) -> bool:
        """Whether members are missing."""
        return self.voters < self.members


def write_outcome(folder: RunFolder, voters: int, members: int) -> None:
    """Record the submission that a run's folder holds now."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    outcome = Outcome(now, file_sha256(folder.submission), file_sha256(folder.config), voters, members)
    atomic_write_json(folder.outcome, asdict(outcome))


def recorded_voters(folder: RunFolder) -> int:
    """How many members voted in the submission there; 0 without one that fits its record and the config."""
    try:
        outcome = read_outcome(folder)
        if outcome and (outcome.submission_sha256, outcome.config_sha256) == (
            file_sha256(folder.submission),
            file_sha256(folder.config),
        ):
            return outcome.voters
    except (OSError, UserError):
        pass
    return 0


def read_outcome(folder: RunFolder) -> Outcome | None:
    """The record of a run's submission; None if there is none, as in runs of earlier versions.

    Raises:
        UserError: it is damaged.
    """
    from pydantic import TypeAdapter, ValidationError  # 0.1 s, which --help does not need

    try:
        return TypeAdapter(Outcome).validate_json(folder.outcome.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise UserError(
            f"{folder.outcome} is damaged. Rerun the run's command: it trains nothing that is finished."
        ) from None
