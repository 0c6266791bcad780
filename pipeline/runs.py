"""The table of the runs and submissions that are on this machine, newest first."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline.config.errors import UserError
from pipeline.config.places import runs_folder
from pipeline.config.schema import member_specs
from pipeline.config.text import printable
from pipeline.kaggle.pushes import state as pushed_state
from pipeline.kaggle.submission_log import Entry, read_log
from pipeline.records.atomic import file_sha256
from pipeline.records.readers import DamagedError, damage_named, moment, read_json
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record


@dataclass(frozen=True)
class Row:
    """A run, a blend of runs, or a submission that belongs to none of those here."""

    time: datetime
    name: str
    config: str
    arms: str
    state: str
    validation: str
    score: str


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
            scores = ", ".join(_outcome(entry) for entry in log if entry.sha256 == sha256)
            rows.append(_run_row(folder, scores) if folder.config.exists() else _blend_row(folder, scores))
    rows += [
        Row(_time_of(e.time), e.source, e.message, "", "submitted", "", _outcome(e))
        for e in log
        if e.sha256 not in claimed
    ]
    return sorted(rows, key=lambda row: row.time, reverse=True)


def runs_table(rows: list[Row]) -> Table:
    """The rows, for the terminal."""
    table = Table("when", "run", "config", "arms", "state", "validation accuracy", "score")
    for row in rows:
        when = row.time.astimezone().strftime("%Y-%m-%d %H:%M")
        texts = (row.name, row.config, row.arms, row.state, row.validation, row.score)
        table.add_row(when, *(Text(printable(text)) for text in texts))
    return table


def _run_row(folder: RunFolder, scores: str) -> Row:
    when = max(_changed(path) for path in (folder.config, folder.comparison) if path.exists())
    try:
        config = folder.read_config()
    except UserError:
        return Row(when, folder.path.name, "", "", f"{folder.config.name} is damaged", "", scores)
    specs = member_specs(config)
    done = sum(folder.member(spec).is_dir() for spec in specs)
    state, validation = f"{done} of {len(specs)} members", ""
    try:
        with damage_named(folder.comparison):
            comparison = read_json(folder.comparison)
            if comparison["ensembles"][-1]["members"] + len(comparison["failed"]) == len(specs):
                state, validation = _finished(comparison)  # else it is from before the run was extended
    except FileNotFoundError:
        if folder.push.exists():
            state = pushed_state(folder)
    except DamagedError:
        state = f"{folder.comparison.name} is damaged"
    config_words = f"{config.recipe.architecture}, {len(specs)} × {config.recipe.train.epochs} epochs"
    return Row(when, folder.path.name, config_words, " ".join(config.arms), state, validation, scores)


def _blend_row(folder: RunFolder, scores: str) -> Row:
    when = _changed(folder.submission_record)
    try:
        record = read_submission_record(folder)
    except UserError:
        record = None
    if record is None:
        return Row(when, folder.path.name, "", "", f"{folder.submission_record.name} is damaged", "", scores)
    votes = f"votes of {', '.join(record.runs)}"
    return Row(when, folder.path.name, votes, "", f"{record.voters} networks voted", "", scores)


def _finished(comparison: dict[str, Any]) -> tuple[str, str]:
    """State and validation accuracy of a finished run."""
    vote = comparison["ensembles"][-1]
    state = f"finished, {len(comparison['failed'])} failed" if comparison["failed"] else "finished"
    score = vote["validation"]
    return state, f"{1 - score['errors'] / score['images']:.5f}" if score else "none"


def _outcome(entry: Entry) -> str:
    return f"{entry.score:.5f}" if entry.score is not None else entry.status


def latest_finished() -> Path:
    """The folder of the run that was finished last, by what the runs recorded.

    Raises:
        UserError: there is none.
    """
    folders = [RunFolder(path) for path in runs_folder().glob("*")]
    finished = [folder for folder in folders if folder.submission.exists()]
    if not finished:
        raise UserError(f"no finished run under {runs_folder()}/. Name a CSV, or a run's folder.")
    return max(finished, key=_finished_at).path


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
