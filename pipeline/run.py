"""The stages of a run in order: load, train, vote, compare, report. The entry script."""

import html
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing import current_process
from pathlib import Path

import pandas as pd

from pipeline.config.errors import RunError
from pipeline.config.places import on_kaggle
from pipeline.config.rules import validate
from pipeline.config.schema import MemberSpec, RunConfig, member_specs
from pipeline.data.checks import data_warnings
from pipeline.data.digits import load
from pipeline.data.folds import check_rows
from pipeline.data.submission_file import with_labels
from pipeline.ensemble.provisional import ProvisionalVote
from pipeline.ensemble.submission import keep_copy_of, make_room_for_copies, write_submission
from pipeline.evidence.comparison import compare
from pipeline.records.finished import FinishedMembers
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import SubmissionRecord
from pipeline.report.findings import Findings
from pipeline.report.page import write_report
from pipeline.report.progress_view import ProgressView
from pipeline.report.sentences import partial_note
from pipeline.report.terminal import new_console, run_screen, show, starting_lines
from pipeline.training.engine import Engine, train_members
from pipeline.training.limits import Limits, stopped_by_sigterm
from pipeline.training.workers import start_workers


@dataclass(frozen=True)
class Ending:
    """How a run ended. As the last value of a notebook's cell, it shows the report."""

    folder: RunFolder
    predictions: pd.DataFrame = field(repr=False)
    """What the vote says, a row per image to predict: ImageId, Label, and certainty, the vote's probability of it."""
    stopped: str = ""
    """What is missing because the run was asked to stop; empty if it was not, or had nothing left to train."""

    def _repr_html_(self) -> str:
        page = html.escape(self.folder.report.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 50em; border: 0"></iframe>'


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
        SystemExit: a script calls it without a guard, so that each worker would begin the run again.
        RunError: not one member could be trained, or the disk is full.
    """
    if getattr(current_process(), "_inheriting", False):  # a worker, which begins by running the user's script again
        raise SystemExit('error: in a script, call main below `if __name__ == "__main__":`.')
    started, limits = time.perf_counter(), Limits(config.hours)
    validate(config)
    console, folder, specs = new_console(), RunFolder.of(config), member_specs(config)
    if not on_kaggle():
        make_room_for_copies()
    with stopped_by_sigterm(limits), folder.opened(config):
        with start_engine(folder, specs, config) as engine, ProgressView(console) as view:
            digits = with_labels(load(config.data), labels)
            show(console, starting_lines(config, folder, digits, console.width))
            check_rows(config, digits)
            for warning in data_warnings(digits):
                view.warn(warning)
            folder.claim(config, digits)
            finished = FinishedMembers(folder, digits.digest())
            observer = ProvisionalVote(view, folder, config, digits, finished, publish)
            members, failed, left = train_members(engine, specs, digits, folder, finished, observer, limits)
        if not members:
            raise RunError(_without_members(failed | left))
        findings = Findings(
            configs=[config],
            digits=digits,
            members=members,
            comparison=compare(members, digits, failed),
            note=partial_note(left, len(specs)),
            missing=len(specs) - len(members),
            folder=folder,
            seconds=time.perf_counter() - started,
            trained=view.trained,
            rate=view.images_per_second,
        )
        vote, predicted = findings.vote, findings.predicted  # all members vote here
        voters = [member.spec.id for member in members]
        made_of = SubmissionRecord({config.name: voters}, findings.missing, scores=findings.recorded_score)
        write_submission(folder, digits.image_ids, predicted, made_of)
        copy = None if on_kaggle() else keep_copy_of(folder, config.name)
        write_report(folder, findings)
    show(console, run_screen(findings, folder, console.width, copy))
    table = pd.DataFrame({"ImageId": digits.image_ids, "Label": predicted, "certainty": vote.max(axis=1)})
    return Ending(folder, table, findings.note if limits.stopped else "")


def _without_members(reasons: Mapping[str, str]) -> str:
    lines = "\n".join(f"  - {member}: {reason}" for member, reason in reasons.items())
    return f"no network could be trained to its end, so there is no submission:\n{lines}"
