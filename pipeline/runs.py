"""The table of the runs and submissions that are on this machine, newest first."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from pipeline.config.errors import UserError
from pipeline.config.places import runs_folder
from pipeline.config.schema import member_specs
from pipeline.kaggle.submission_log import Entry, read_log
from pipeline.records.atomic import file_sha256
from pipeline.records.blend_record import read_blend
from pipeline.records.outcome import read_outcome
from pipeline.records.run_folder import RunFolder


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
        if folder.config.exists() or folder.blend.exists():
            sha256 = file_sha256(folder.submission) if folder.submission.exists() else ""
            claimed.add(sha256)
            sent = [entry for entry in log if entry.sha256 == sha256]
            rows.append(_run_row(folder, sent) if folder.config.exists() else _blend_row(folder, sent))
    rows += [
        Row(datetime.fromisoformat(e.time), e.source, e.message, "", "submitted", "", _outcome(e))
        for e in log
        if e.sha256 not in claimed
    ]
    return sorted(rows, key=lambda row: row.time, reverse=True)


def runs_table(rows: list[Row]) -> Table:
    """The rows, for the terminal."""
    table = Table("when", "run", "config", "arms", "state", "validation accuracy", "score")
    for row in rows:
        when = row.time.astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(when, row.name, row.config, row.arms, row.state, row.validation, row.score)
    return table


def _run_row(folder: RunFolder, sent: list[Entry]) -> Row:
    newest = max(path.stat().st_mtime for path in (folder.config, folder.comparison) if path.exists())
    when = datetime.fromtimestamp(newest, UTC)
    try:
        config = folder.read_config()
    except UserError:
        return Row(when, folder.path.name, "", "", f"{folder.config.name} is damaged", "", "")
    specs = member_specs(config)
    done = sum(folder.member(spec).is_dir() for spec in specs)
    state, validation = f"{done} of {len(specs)} members", ""
    try:
        comparison = json.loads(folder.comparison.read_text())
        if comparison["ensembles"][-1]["members"] + len(comparison["failed"]) == len(specs):
            state, validation = _finished(comparison)  # else it is from before the run was extended
    except FileNotFoundError:
        if folder.push.exists():
            state = "at Kaggle"
    except (ValueError, KeyError, TypeError, IndexError):
        state, validation = f"{folder.comparison.name} is damaged", ""
    return Row(
        when,
        folder.path.name,
        f"{config.recipe.architecture}, {len(specs)} × {config.recipe.train.epochs} epochs",
        " ".join(config.arms),
        state,
        validation,
        ", ".join(_outcome(entry) for entry in sent),
    )


def _blend_row(folder: RunFolder, sent: list[Entry]) -> Row:
    when = datetime.fromtimestamp(folder.blend.stat().st_mtime, UTC)
    scores = ", ".join(_outcome(entry) for entry in sent)
    try:
        blend = read_blend(folder)
    except UserError:
        return Row(when, folder.path.name, "", "", f"{folder.blend.name} is damaged", "", scores)
    config = f"votes of {', '.join(blend.runs)}"
    return Row(when, folder.path.name, config, "", f"{blend.networks} networks voted", "", scores)


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
    """When a run wrote its submission; of runs of earlier versions, which did not record it, the file's time."""
    with suppress(UserError, ValueError):
        if outcome := read_outcome(folder):
            return datetime.fromisoformat(outcome.finished)
    return datetime.fromtimestamp(folder.submission.stat().st_mtime, UTC)
