"""The table of the runs and submissions that are on this machine, newest first."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.places import runs_folder
from pipeline.config.schema import MemberSpec, member_specs
from pipeline.kaggle.pushes import state as pushed_state
from pipeline.kaggle.submission_log import Entry, read_log
from pipeline.records.atomic import file_sha256
from pipeline.records.readers import moment
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import SubmissionRecord, read_submission_record
from pipeline.report.words import count, text_table


@dataclass(frozen=True)
class Row:
    """A run, a blend of runs, or a submission that belongs to none of those here."""

    time: datetime
    name: str
    state: str
    score: str = ""
    """The best that is known: Kaggle's, else on held-back images, else on validation rows."""
    config: str = ""
    arms: str = ""


def list_runs() -> list[Row]:
    """All runs and blends under runs/ and all logged submissions, newest first.

    Raises:
        UserError: the log of submissions is damaged.
    """
    log = read_log()
    rows, claimed = [], set()
    for path in runs_folder().glob("*"):
        folder = RunFolder(path)
        if folder.config.exists() or folder.is_blend:
            sha256 = file_sha256(folder.submission) if folder.submission.is_file() else ""
            claimed.add(sha256)
            row = _row(folder)
            rows.append(replace(row, score=_at_kaggle([e for e in log if e.sha256 == sha256]) or row.score))
    rows += [
        Row(_time_of(e.time), e.source, "submitted", _at_kaggle([e]), e.message) for e in log if e.sha256 not in claimed
    ]
    return sorted(rows, key=lambda row: row.time, reverse=True)


def runs_screen(rows: Sequence[Row], width: int) -> list[str]:
    """The rows as lines of a table."""
    return text_table(
        ("run", "state", "score", "when", "config", "arms"),
        [(r.name, r.state, r.score, f"{r.time.astimezone():%Y-%m-%d %H:%M}", r.config, r.arms) for r in rows],
        width,
    )


def _row(folder: RunFolder) -> Row:
    """Of a run or a blend."""
    name = folder.path.name
    when = max(_changed(path) for path in (folder.config, folder.submission_record) if path.exists())
    try:
        config = folder.read_config() if folder.config.exists() else None
    except UserError:
        return Row(when, name, f"{folder.config.name} is damaged")
    try:
        record = read_submission_record(folder)
    except UserError:
        return Row(when, name, f"{folder.submission_record.name} is damaged")
    score = _accuracy(**record.scores) if record and record.scores else ""
    if config:
        specs = member_specs(config)
        recipe = f"{config.recipe.architecture}, {len(specs)} × {count(config.recipe.train.epochs, 'epoch')}"
        return Row(when, name, _state(folder, record, specs), score, recipe, " ".join(config.arms))
    voted = f"{count(record.voters, 'network')} voted" if record else ""
    return Row(when, name, voted, score, f"votes of {', '.join(record.runs)}" if record else "")


def _state(folder: RunFolder, record: SubmissionRecord | None, specs: Sequence[MemberSpec]) -> str:
    """How far a run has come."""
    if record and record.voters == len(specs) and record.config_sha256 == file_sha256(folder.config):
        return "finished"
    if record is None and folder.push.exists():
        return pushed_state(folder)
    return f"{sum(folder.member(spec).is_dir() for spec in specs)} of {len(specs)} networks"


def _accuracy(where: str, whole: dict[str, int], **_: object) -> str:
    return f"{1 - whole['errors'] / whole['images']:.5f} {where}"


def _at_kaggle(sent: Sequence[Entry]) -> str:
    """The best score at Kaggle; of submissions without one, what became of the last; empty if there is none."""
    scores = [entry.score for entry in sent if entry.score is not None]
    return f"{max(scores):.5f} Kaggle" if scores else sent[-1].status if sent else ""


def latest_finished() -> Path:
    """The folder of the run or blend that was finished last, by what they recorded.

    Raises:
        UserError: there is none, or not all of its networks voted: whether to send that is the user's to say.
    """
    folders = [RunFolder(path) for path in runs_folder().glob("*")]
    finished = [folder for folder in folders if folder.submission.exists()]
    if not finished:
        raise UserError(f"no finished run under {runs_folder()}/. Name a CSV, or a run's folder.")
    latest = max(finished, key=_finished_at)
    if incomplete := _incomplete(latest):
        raise UserError(
            f"{latest.path} was written last, and is not complete: {incomplete}. Name it to submit it as it is, or "
            "name another run's folder or a CSV."
        )
    return latest.path


def _incomplete(folder: RunFolder) -> str:
    """How many of the networks voted, in words; empty if all did, or where a damaged record does not tell."""
    with suppress(UserError):
        if record := read_submission_record(folder):
            return record.incomplete
    return ""


def _finished_at(folder: RunFolder) -> datetime:
    """When a submission was written, as its record says; where that is damaged or missing, as its file does."""
    with suppress(UserError):
        if record := read_submission_record(folder):
            return record.time
    return _changed(folder.submission)


def _changed(path: Path) -> datetime:
    """When a file was changed last; now, if a clock that was wrong says later."""
    return min(datetime.fromtimestamp(path.stat().st_mtime, UTC), datetime.now(UTC))


def _time_of(text: str) -> datetime:
    """The time in a line of the log; the first of all where it is none."""
    try:
        return moment(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
