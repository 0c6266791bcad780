"""The stages of a run in order: load, train, ensemble, compare, predict, report. The entry script."""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import run_folder
from pipeline.config.rules import validate
from pipeline.config.schema import MemberSpec, RunConfig, Vote, member_specs
from pipeline.data.csv_files import GET_THE_DATA
from pipeline.data.digits import Digits, load
from pipeline.data.folds import validation_folds
from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.ensemble.submission import write_submission
from pipeline.ensemble.weights import cast_votes
from pipeline.evidence.comparison import Comparison, Score, compare, score
from pipeline.records.atomic import atomic_replace, atomic_write_json
from pipeline.records.members import Member, invalid_reason, read, write_metrics
from pipeline.records.run_folder import claim, opened
from pipeline.report.page import render_report
from pipeline.report.sentences import comparison_lines
from pipeline.report.terminal import ProgressView, comparison_table
from pipeline.training.workers import Engine

COMPARISON, METRICS, REPORT, SUBMISSION = "comparison.json", "metrics.csv", "report.html", "submission.csv"
LOG_WIDTH = 120  # columns, where there is no terminal to ask


def main(config: RunConfig) -> Path:
    """Carry out a run, or what is left of it.

    Returns:
        The run's folder.

    Raises:
        UserError: a mistake in the config, the data or the folder, found before any training.
        RunError: not one member could be trained.
    """
    started = time.perf_counter()
    validate(config)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else LOG_WIDTH)
    with opened(run_folder(config), config) as folder:
        console.print(f"run: {config.name} in {folder}", markup=False)
        with Engine(folder) as engine:
            digits = load(config.data)
            console.print(
                f"data: {digits.source}; {len(digits.labels):,} labelled, {len(digits.image_ids):,} to predict",
                markup=False,
            )
            check_data(config, digits)
            claim(folder, config, digits)
            failed = train(config, digits, folder, engine, console)
        finished = read_members(config, folder, failed)
        comparison = compare(finished, digits, failed)
        labels = write_results(folder, config, digits, finished, comparison)
    known = digits.held_back_labels
    held_back = None if known is None else score(labels, known)
    show(console, config.vote, comparison, folder, held_back, time.perf_counter() - started)
    return folder


def check_data(config: RunConfig, digits: Digits) -> None:
    """Raise a UserError if the config asks for more rows than the data has."""
    training = len(digits.labels)
    if config.folds:
        folds = validation_folds(digits.labels, config.folds, config.split_seed)
        training -= max((folds == fold).sum() for fold in range(config.folds_used))
    if training < config.train.batch_size:
        raise UserError(
            f"train.batch_size is {config.train.batch_size}, but a member has only {training} rows to train on. "
            "Lower it."
        )


def train(config: RunConfig, digits: Digits, folder: Path, engine: Engine, console: Console) -> dict[str, str]:
    """Train the members that the folder does not hold yet; the ids that failed, with reasons."""
    specs = member_specs(config)
    data_digest = digits.digest()
    missing: list[MemberSpec] = []
    damaged: list[str] = []
    for spec in specs:
        path = folder / "members" / spec.id
        if reason := invalid_reason(path, spec, data_digest):
            missing.append(spec)
            if path.exists():
                damaged.append(f"{reason}; it is trained again")
    if len(missing) < len(specs):
        console.print(f"{len(specs) - len(missing)} of {len(specs)} members are finished already")
    with ProgressView(console, len(specs) - len(missing), len(specs)) as view:
        for text in damaged:
            view.warn(text)
        return engine.run(missing, digits, view.watch, view.warn)


def read_members(config: RunConfig, folder: Path, failed: dict[str, str]) -> list[Member]:
    """The finished members of a run, in the config's order.

    Raises:
        RunError: there is none.
    """
    finished = [read(folder / "members" / spec.id, spec) for spec in member_specs(config) if spec.id not in failed]
    if not finished:
        reasons = "\n".join(f"  - {member}: {reason}" for member, reason in failed.items())
        raise RunError(f"no member could be trained:\n{reasons}")
    return finished


def write_results(
    folder: Path, config: RunConfig, digits: Digits, finished: list[Member], comparison: Comparison
) -> NDArray[np.int64]:
    """Write all that follows from the finished members; returns the predicted labels, shape (m,)."""
    atomic_write_json(folder / "environment.json", finished[0].environment)
    write_comparison(folder, [config], digits, finished, comparison)
    labels = predicted_labels(cast_votes(config.vote, finished, digits))
    write_submission(folder / SUBMISSION, digits.image_ids, labels)
    return labels


def write_comparison(
    folder: Path,
    configs: Sequence[RunConfig],
    digits: Digits,
    finished: Sequence[Member],
    comparison: Comparison,
    note: str = "",
) -> None:
    """Write comparison.json, metrics.csv and report.html; `note` is for the report."""
    atomic_write_json(folder / COMPARISON, asdict(comparison))
    with atomic_replace(folder / METRICS) as temporary:
        write_metrics(temporary, finished)
    with atomic_replace(folder / REPORT) as temporary:
        temporary.write_text(render_report(configs, digits, finished, comparison, note), encoding="utf-8")


def show(
    console: Console, vote: Vote, comparison: Comparison, folder: Path, held_back: Score | None, seconds: float
) -> None:
    """Print the outcome; `held_back` is the submission's score where it is known."""
    console.print(comparison_table(comparison))
    for line in comparison_lines(comparison):
        console.print(line, markup=False)
    for member, reason in comparison.failed.items():
        console.print(f"WARNING: {member} is left out: {reason}", style="bold red", markup=False)
    members = comparison.ensembles[-1].members
    console.print(f"submission: {folder / SUBMISSION}, {members} members with {vote} votes", markup=False)
    console.print(f"report: {folder / REPORT}", markup=False)
    console.print(f"done in {seconds:.0f} s")
    if held_back:
        console.print(
            f"this submission would score {held_back.accuracy:.5f} on the sample's held-back labels. The sample "
            f"is 5,000 digits, not the competition. {GET_THE_DATA} Then: python -m pipeline run leaderboard",
            markup=False,
        )
