"""Compare runs, finished or half-finished, or the record of a study: the members that are there, pair by pair."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pipeline.config.errors import UserError
from pipeline.config.places import runs_folder
from pipeline.config.schema import MemberSpec, RunConfig
from pipeline.data.submission_file import with_labels
from pipeline.evidence.comparison import compare
from pipeline.records.members import Member
from pipeline.records.opened_runs import arm_names, folders_digest, load_data, open_run, read_run
from pipeline.records.run_folder import RunFolder, own_folder
from pipeline.records.study import Study, as_recorded, is_study, read_study, write_study
from pipeline.report.findings import Findings
from pipeline.report.page import write_report
from pipeline.report.sentences import JOINT, half_finished
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
            are not one study's, labels that are not of the test images, or a folder that holds something else.
    """
    if any(is_study(RunFolder(folder)) for folder in folders):
        if data or labels or not all(is_study(RunFolder(folder)) for folder in folders):
            raise UserError(
                f"one of {', '.join(map(str, folders))} is the record of a study. Compare it alone or with other "
                "records, without --data and --labels: it holds the digits that it was judged by."
            )
        study = _read_records(folders, arms)
    else:
        study = _read_runs(folders, data, arms, labels)
    ((spec, times),) = Counter(member.spec for member in study.members).most_common(1)
    if times > 1:
        raise UserError(f"{spec.id} is in two of the runs, trained alike. Name only one of them.")
    findings = Findings(
        study.configs, study.digits, study.members, compare(study.members, study.digits, {}), study.note
    )
    usual = runs_folder() / f"compare-{folders_digest(folders, [*arms, *([str(labels)] if labels else [])])}"
    target = own_folder(out or usual, "comparison", is_study)
    write_study(target, study)  # first: it marks the folder as a comparison's, whatever ends the rest
    write_report(target, findings)
    console = new_console()
    show(console, comparison_screen(findings, target, console.width))
    return target


def _read_runs(folders: Sequence[Path], data: str | None, arms: Sequence[str], labels: Path | None) -> Study:
    """The finished members of runs, as their record will hold them."""
    runs = [open_run(RunFolder(folder)) for folder in folders]
    wanted = _chosen(arms, [spec for run in runs for spec in run.specs])
    runs = [replace(run, specs=[spec for spec in run.specs if spec.activation in wanted]) for run in runs]
    for folder, run in zip(folders, runs, strict=True):
        _check_folds(folders[0], runs[0].config, folder, run.config)
    digits = with_labels(load_data(runs, data), labels)
    members: list[Member] = []
    missing: list[str] = []
    for run, name in zip(runs, arm_names(runs), strict=True):
        there, not_there = read_run(run, name)
        members += map(as_recorded, there)
        missing += not_there
    if not members:
        raise UserError(f"none of the networks is finished: {missing[0]}")
    note = half_finished(len(missing), len(missing) + len(members))
    return Study([run.config for run in runs], digits, members, note)


def _read_records(folders: Sequence[Path], arms: Sequence[str]) -> Study:
    """The records of studies, read as one."""
    studies = [read_study(RunFolder(folder)) for folder in folders]
    for folder, study in zip(folders[1:], studies[1:], strict=True):
        _check_joint(folders[0], studies[0], folder, study)
    members = [member for study in studies for member in study.members]
    wanted = _chosen(arms, [member.spec for member in members])
    notes = [*(study.note for study in studies), JOINT if len(studies) > 1 else ""]
    return Study(
        [config for study in studies for config in study.configs],
        studies[0].digits,
        [member for member in members if member.spec.activation in wanted],
        " ".join(filter(None, notes)),
    )


def _chosen(arms: Sequence[str], specs: Sequence[MemberSpec]) -> Sequence[str]:
    """The activations to compare: those that are named, or all that there are."""
    known = list(dict.fromkeys(spec.activation for spec in specs))
    if absent := [arm for arm in arms if arm not in known]:
        raise UserError(f"--arms names {', '.join(absent)}, but the arms of these runs are {', '.join(known)}.")
    return arms or known


def _check_joint(first: Path, ours: Study, other: Path, theirs: Study) -> None:
    """Raise a UserError if two records are not of one study: of one recipe, judged by the same digits."""
    recipes = [asdict(config.recipe) for study in (ours, theirs) for config in study.configs]
    differ = [field for field in recipes[0] if any(recipe[field] != recipes[0][field] for recipe in recipes)]
    for what in ("labels", "held_back_labels"):
        if not np.array_equal(getattr(ours.digits, what), getattr(theirs.digits, what)):
            differ.append(what)
    if differ:
        raise UserError(
            f"{first} and {other} are not one study: they differ in {', '.join(differ)}. Compare each alone."
        )


def _check_folds(first: Path, ours: RunConfig, other: Path, theirs: RunConfig) -> None:
    """Raise a UserError if two runs' networks were not validated on the same images."""
    differ = [
        f"{field} ({getattr(ours.recipe, field)} and {getattr(theirs.recipe, field)})"
        for field in ("folds", "split_seed")
        if getattr(ours.recipe, field) != getattr(theirs.recipe, field)
    ]
    if differ:
        raise UserError(
            f"{first} and {other} cannot be compared: they differ in {', '.join(differ)}. Their networks were not "
            "validated on the same images."
        )
