"""Compare runs, finished or half-finished, or the record of a study: the members that are there, pair by pair."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, make_folder, runs_folder
from pipeline.data.submission_file import with_labels
from pipeline.evidence.comparison import compare
from pipeline.records.members import Member
from pipeline.records.opened_runs import OpenedRun, arm_labels, check_unique, joint_name, load_data, open_run, read_run
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import Study, as_recorded, is_study, read_study, write_study
from pipeline.report.page import write_report
from pipeline.report.sentences import half_finished
from pipeline.report.terminal import new_console, show_comparison, show_next


def compare_runs(
    folders: Sequence[Path],
    out: Path | None = None,
    data: str | None = None,
    arms: Sequence[str] = (),
    labels: Path | None = None,
) -> RunFolder:
    """Compare the members of one or more runs, or of a study's record; print the outcome and write a record of it.

    An arm is an activation; where the runs differ in more than arms, seeds and folds, an activation of one run.

    Args:
        folders: The runs' folders; or that of a record, which needs neither members nor data.
        out: Where to write the record: report, results, histories and probabilities; by default runs/compare-DIGEST.
        data: Where the data is; by default where the first run found it.
        arms: Activations to compare; all by default.
        labels: A file with the digits of the test images; see `with_labels`.

    Returns:
        The folder that was written to.

    Raises:
        UserError: no run, no finished member, an arm that no run has, runs that differ in data or folds, or labels that
            are not of the test images.
    """
    if any(is_study(RunFolder(folder)) for folder in folders):
        study, name = _read_record(folders, data, arms, labels)
    else:
        study, name = _read_runs(folders, data, arms, labels)
    comparison = compare(study.members, study.digits, {})
    target = RunFolder(make_folder(out or runs_folder() / f"compare-{name}", CHOOSE_ANOTHER))
    write_report(target, study.configs, study.digits, study.members, comparison, study.note)
    write_study(target, study)
    console = new_console()
    if study.note:
        console.print(f"WARNING: {study.note}", style="bold red", markup=False)
    show_comparison(console, comparison, study.digits)
    console.print(f"report: {target.report}", markup=False)
    show_next(console, study.configs, comparison, None, half_finished=bool(study.note))
    return target


def _read_runs(
    folders: Sequence[Path], data: str | None, arms: Sequence[str], labels: Path | None
) -> tuple[Study, str]:
    """The finished members of runs, and a name for them."""
    runs = _with_arms([open_run(RunFolder(folder)) for folder in folders], arms)
    _check_folds(runs)
    digits = with_labels(load_data(runs, data), labels)
    finished: list[Member] = []
    missing: list[str] = []
    for run, label in zip(runs, arm_labels(runs), strict=True):
        there, not_there = read_run(run, label)
        finished, missing = finished + there, missing + not_there
    if not finished:
        raise UserError(f"none of the members is finished: {missing[0]}")
    check_unique(finished)
    finished = [as_recorded(member) for member in finished]
    note = half_finished(len(missing), len(missing) + len(finished)) if missing else ""
    return Study([run.config for run in runs], digits, finished, note), joint_name(runs)


def _read_record(
    folders: Sequence[Path], data: str | None, arms: Sequence[str], labels: Path | None
) -> tuple[Study, str]:
    """The same of the record of a study."""
    if len(folders) > 1 or data or labels:
        raise UserError(
            f"one of {', '.join(map(str, folders))} is the record of a study. Compare it alone, without --data and "
            "--labels: it holds the digits that it was judged by."
        )
    study = read_study(RunFolder(folders[0]))
    _check_arms(arms, list(dict.fromkeys(member.spec.activation for member in study.members)))
    members = [member for member in study.members if not arms or member.spec.activation in arms]
    name = hashlib.sha256("\n".join([str(folders[0].resolve()), *arms]).encode()).hexdigest()[:8]
    return replace(study, members=members), name


def _with_arms(runs: Sequence[OpenedRun], arms: Sequence[str]) -> list[OpenedRun]:
    """The runs as if they had had no other arms than those, if any are named."""
    known = list(dict.fromkeys(spec.activation for run in runs for spec in run.specs))
    _check_arms(arms, known)
    return [replace(run, specs=[s for s in run.specs if s.activation in (arms or known)]) for run in runs]


def _check_arms(arms: Sequence[str], known: Sequence[str]) -> None:
    if absent := [arm for arm in arms if arm not in known]:
        raise UserError(f"--arms names {', '.join(absent)}, but the arms of these runs are {', '.join(known)}.")


def _check_folds(runs: Sequence[OpenedRun]) -> None:
    """Raise a UserError if the runs' networks were not validated on the same images."""
    first = runs[0]
    for other in runs[1:]:
        differ = [
            f"{field} ({ours} and {theirs})"
            for field, ours, theirs in (
                ("folds", first.config.recipe.folds, other.config.recipe.folds),
                ("split_seed", first.config.recipe.split_seed, other.config.recipe.split_seed),
            )
            if ours != theirs
        ]
        if differ:
            raise UserError(
                f"{first.folder.path} and {other.folder.path} cannot be compared: they differ in {', '.join(differ)}. "
                "Their networks were not validated on the same images."
            )
