"""The stages of a run in order: load, train, vote, compare, report. The entry script."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.rules import validate
from pipeline.config.schema import MemberSpec, RunConfig, member_specs
from pipeline.data.checks import data_warnings
from pipeline.data.digits import load
from pipeline.data.folds import check_rows
from pipeline.ensemble.provisional import ProvisionalVote
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.ensemble.submission import with_labels, write_submission
from pipeline.evidence.comparison import compare
from pipeline.records.finished import read_finished
from pipeline.records.outcome import write_outcome
from pipeline.records.run_folder import RunFolder
from pipeline.report.page import write_report
from pipeline.report.progress_view import ProgressView
from pipeline.report.sentences import partial_note
from pipeline.report.terminal import (
    new_console,
    show_data,
    show_next,
    show_outcome,
    show_run,
    show_score,
    show_shares,
)
from pipeline.training.engine import Engine, train_members
from pipeline.training.limits import Limits, stopped_by_sigterm
from pipeline.training.workers import start_workers


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    folder: RunFolder
    stopped: str
    """What is missing because the run was asked to stop; empty if it was not, or had nothing left to train."""


EngineStarter = Callable[[RunFolder, Sequence[MemberSpec], RunConfig], AbstractContextManager[Engine]]


def main(
    config: RunConfig,
    labels: Path | None = None,
    publish: Callable[[RunFolder], None] = lambda _: None,
    start_engine: EngineStarter = start_workers,
) -> Ending:
    """Carry out a run, or what is left of it.

    Args:
        config: The run.
        labels: A file with the digits of the test images, to judge by; see `with_labels`.
        publish: Called with the run's folder whenever there is a new provisional submission.
        start_engine: Makes what trains the members of the run in that folder.

    Raises:
        UserError: a mistake in the config, the data or the folder, found before any training.
        RunError: not one member could be trained, or the disk is full.
    """
    started, limits = time.perf_counter(), Limits(config.hours)
    validate(config)
    console, folder, specs = new_console(), RunFolder.of(config), member_specs(config)
    with stopped_by_sigterm(limits), folder.opened(config):
        show_run(console, config, folder)
        with start_engine(folder, specs, config) as engine, ProgressView(console) as view:
            digits = with_labels(load(config.data), labels)
            show_data(console, digits)
            check_rows(config, digits)
            for warning in data_warnings(digits):
                view.warn(warning)
            folder.claim(config, digits)
            observer = ProvisionalVote(view, folder, specs, digits, publish)
            failed, left = train_members(engine, specs, digits, folder, observer, limits)
        members = read_finished(folder, specs, failed | left)
        predictions = predicted_labels(soft_vote([member.test_probabilities for member in members]))
        write_submission(folder.submission, digits.image_ids, predictions)
        comparison, note = compare(members, digits, failed), partial_note(left, len(specs))
        write_report(folder, [config], digits, members, comparison, note)
        write_outcome(folder, len(members), len(specs))
    show_outcome(console, folder, digits, comparison, note, time.perf_counter() - started)
    show_shares(console, predictions, digits)
    show_score(console, predictions, digits)
    show_next(console, [config], comparison, folder, half_finished=bool(left))
    return Ending(folder, note if limits.stopped else "")
