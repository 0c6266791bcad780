"""Compare runs, finished or half-finished, or the record of a study: the members that are there, pair by pair."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, make_folder, runs_folder
from pipeline.data.submission_file import with_labels
from pipeline.evidence.comparison import compare
from pipeline.records.members import Member
from pipeline.records.opened_runs import (
    OpenedRun,
    arm_labels,
    check_unique,
    joint_name,
    load_data,
    open_run,
    read_run,
    short_digest,
)
from pipeline.records.run_folder import RunFolder
from pipeline.records.study import Study, as_recorded, is_study, read_study, write_study
from pipeline.report.findings import Findings
from pipeline.report.page import write_report
from pipeline.report.sentences import JOINT, half_finished, is_unfinished
from pipeline.report.terminal import comparison_screen, new_console, show


def compare_runs(
    folders: Sequence[Path],
    out: Path | None = None,
    data: str | None = None,
    arms: Sequence[str] = (),
    labels: Path | None = None,
) -> RunFolder:
    """Compare the members of one or more runs, or of studies' records; print the outcome and write a record of it.

    An arm is an activation; where the runs differ in more than arms, seeds and folds, an activation of one run.

    Args:
        folders: The runs' folders; or those of records, which need neither members nor data. Several records are read
            as one study: they have one recipe, the same digits, and other seeds.
        out: Where to write the record: report, results, histories and probabilities; by default runs/compare-DIGEST.
        data: Where the data is; by default where the first run found it.
        arms: Activations to compare; all by default.
        labels: A file with the digits of the test images; see `with_labels`.

    Returns:
        The folder that was written to.

    Raises:
        UserError: no run, no finished member, an arm that no run has, runs that differ in data or folds, records that
            are not one study's, or labels that are not of the test images.
    """
    if any(is_study(RunFolder(folder)) for folder in folders):
        study, name = _read_records(folders, data, arms, labels)
    else:
        study, name = _read_runs(folders, data, arms, labels)
    comparison = compare(study.members, study.digits, {})
    missing = int(is_unfinished(study.note))
    findings = Findings(study.configs, study.digits, study.members, comparison, study.note, missing)
    target = RunFolder(make_folder(out or runs_folder() / f"compare-{name}", CHOOSE_ANOTHER))
    write_report(target, findings)
    write_study(target, study)
    console = new_console()
    show(console, comparison_screen(findings, target, console.width))
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
        raise UserError(f"none of the networks is finished: {missing[0]}")
    check_unique(finished)
    finished = [as_recorded(member) for member in finished]
    note = half_finished(len(missing), len(missing) + len(finished)) if missing else ""
    return Study([run.config for run in runs], digits, finished, note), joint_name(runs)


def _read_records(
    folders: Sequence[Path], data: str | None, arms: Sequence[str], labels: Path | None
) -> tuple[Study, str]:
    """The same of the records of studies, read as one."""
    if data or labels or not all(is_study(RunFolder(folder)) for folder in folders):
        raise UserError(
            f"one of {', '.join(map(str, folders))} is the record of a study. Compare it alone or with other records, "
            "without --data and --labels: it holds the digits that it was judged by."
        )
    studies = [read_study(RunFolder(folder)) for folder in folders]
    for folder, study in zip(folders[1:], studies[1:], strict=True):
        _check_joint(folders[0], studies[0], folder, study)
    everyone = [member for study in studies for member in study.members]
    _check_arms(arms, list(dict.fromkeys(member.spec.activation for member in everyone)))
    members = [member for member in everyone if not arms or member.spec.activation in arms]
    check_unique(members)
    notes = [*filter(None, (study.note for study in studies)), *([JOINT] if len(studies) > 1 else [])]
    name = short_digest([*(str(folder.resolve()) for folder in folders), *arms])
    return Study([c for study in studies for c in study.configs], studies[0].digits, members, " ".join(notes)), name


def _check_joint(first: Path, ours: Study, other: Path, theirs: Study) -> None:
    """Raise a UserError if two records are not of one study: of one recipe, judged by the same digits."""
    recipes = [asdict(config.recipe) for study in (ours, theirs) for config in study.configs]
    differ = [field for field in recipes[0] if any(recipe[field] != recipes[0][field] for recipe in recipes)]
    ours_held_back, theirs_held_back = (
        () if study.digits.held_back_labels is None else study.digits.held_back_labels for study in (ours, theirs)
    )
    if not np.array_equal(ours.digits.labels, theirs.digits.labels):
        differ.append("the labelled digits")
    if not np.array_equal(ours_held_back, theirs_held_back):
        differ.append("the held-back digits")
    if differ:
        raise UserError(
            f"{first} and {other} are not one study: they differ in {', '.join(differ)}. Compare each alone."
        )


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
