"""Compare finished or half-finished runs: the members that are there, pair by pair."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, make_folder, runs_folder
from pipeline.evidence.comparison import compare
from pipeline.records.members import Member
from pipeline.records.opened_runs import OpenedRun, arm_labels, check_unique, joint_name, load_data, open_run, read_run
from pipeline.records.run_folder import RunFolder
from pipeline.report.page import write_report
from pipeline.report.terminal import new_console, show_comparison


def compare_runs(
    folders: Sequence[Path], out: Path | None = None, data: str | None = None, arms: Sequence[str] = ()
) -> RunFolder:
    """Compare the members of one or more runs; print the outcome; write comparison.json, metrics.csv, report.html.

    An arm is an activation; where the runs differ in more than arms, seeds and folds, an activation of one run.

    Args:
        folders: The runs' folders.
        out: Where to write; by default runs/compare-DIGEST.
        data: Where the data is; by default where the first run found it.
        arms: Activations to compare; all by default.

    Returns:
        The folder that was written to.

    Raises:
        UserError: no run, no finished member, an arm that no run has, or runs that differ in data or folds.
    """
    runs = _with_arms([open_run(RunFolder(folder)) for folder in folders], arms)
    _check_folds(runs)
    digits = load_data(runs, data)
    finished: list[Member] = []
    missing: list[str] = []
    for run, label in zip(runs, arm_labels(runs), strict=True):
        there, not_there = read_run(run, label)
        finished, missing = finished + there, missing + not_there
    if not finished:
        raise UserError(f"none of the members is finished: {missing[0]}")
    check_unique(finished)
    comparison = compare(finished, digits, {})
    note = f"Half-finished: {len(missing)} of {len(missing) + len(finished)} members are missing." if missing else ""
    target = RunFolder(make_folder(out or runs_folder() / f"compare-{joint_name(runs)}", CHOOSE_ANOTHER))
    write_report(target, [run.config for run in runs], digits, finished, comparison, note)
    console = new_console()
    if note:
        console.print(note, markup=False)
    show_comparison(console, comparison)
    console.print(f"report: {target.report}", markup=False)
    return target


def _with_arms(runs: Sequence[OpenedRun], arms: Sequence[str]) -> list[OpenedRun]:
    """The runs as if they had had no other arms than those, if any are named."""
    known = list(dict.fromkeys(spec.activation for run in runs for spec in run.specs))
    if absent := [arm for arm in arms if arm not in known]:
        raise UserError(f"--arms names {', '.join(absent)}, but the arms of these runs are {', '.join(known)}.")
    return [replace(run, specs=[s for s in run.specs if s.activation in (arms or known)]) for run in runs]


def _check_folds(runs: Sequence[OpenedRun]) -> None:
    """Raise a UserError if the runs' networks were not validated on the same images."""
    first = runs[0]
    for other in runs[1:]:
        differ = [
            f"{field} ({ours} and {theirs})"
            for field, ours, theirs in (
                ("folds", first.config.folds, other.config.folds),
                ("split_seed", first.config.split_seed, other.config.split_seed),
            )
            if ours != theirs
        ]
        if differ:
            raise UserError(
                f"{first.folder.path} and {other.folder.path} cannot be compared: they differ in {', '.join(differ)}. "
                "Their networks were not validated on the same images."
            )
