"""Compare finished or half-finished runs: the members that are there, pair by pair."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.places import make_folder, runs_folder
from pipeline.config.schema import MemberSpec, RunConfig, member_specs, recipe
from pipeline.data.digits import Digits, load
from pipeline.evidence.comparison import compare
from pipeline.records.members import MANIFEST, Member, invalid_reason, read_member
from pipeline.records.run_folder import RunFolder
from pipeline.report.page import write_report
from pipeline.report.terminal import new_console, show_comparison


@dataclass(frozen=True)
class _Run:
    """A run's folder, as far as it has come."""

    folder: RunFolder
    config: RunConfig
    data_sha256: str
    specs: list[MemberSpec]
    """Its members, finished or not, and those that earlier commands with other arms, seeds or folds have left."""


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
    runs = _with_arms([_open(RunFolder(folder)) for folder in folders], arms)
    _check_comparable(runs)
    digits = _load(runs[0], data)
    finished: list[Member] = []
    missing: list[str] = []
    for run, label in zip(runs, _labels(runs), strict=True):
        for spec in run.specs:
            folder = run.folder.member(spec)
            if reason := invalid_reason(folder, spec, run.data_sha256):
                missing.append(reason)
            else:
                finished.append(replace(read_member(folder, spec), label=label(spec.activation)))
    if not finished:
        raise UserError(f"none of the members is finished: {missing[0]}")
    _check_unique(finished)
    comparison = compare(finished, digits, {})
    note = f"Half-finished: {len(missing)} of {len(missing) + len(finished)} members are missing." if missing else ""
    target = RunFolder(make_folder(out or runs_folder() / f"compare-{_name(runs)}"))
    write_report(target, [run.config for run in runs], digits, finished, comparison, note)
    console = new_console()
    if note:
        console.print(note, markup=False)
    show_comparison(console, comparison)
    console.print(f"report: {target.report}", markup=False)
    return target


def _open(folder: RunFolder) -> _Run:
    try:
        config, data_sha256 = folder.read_config(), folder.read_data_digest()
    except OSError as error:
        raise UserError(f"{folder.path} is no run's folder: cannot read {error.filename} ({error.strerror}).") from None
    wanted = member_specs(config)
    return _Run(folder, config, data_sha256, wanted + _left_by_others(folder, wanted, data_sha256))


def _left_by_others(folder: RunFolder, wanted: Sequence[MemberSpec], data_sha256: str) -> list[MemberSpec]:
    """Finished members of the same recipe that the folder's config does not ask for."""
    found = []
    for path in sorted(folder.members.glob("*/" + MANIFEST)):
        with suppress(ValueError, KeyError, TypeError):  # damaged: no finished member
            own = json.loads(path.read_text())["spec"]
            spec = replace(wanted[0], activation=own["activation"], seed=own["seed"], fold=own["fold"])
            if spec not in wanted and not invalid_reason(folder.member(spec), spec, data_sha256):
                found.append(spec)
    return found


def _with_arms(runs: Sequence[_Run], arms: Sequence[str]) -> list[_Run]:
    """The runs as if they had had no other arms than those, if any are named."""
    known = list(dict.fromkeys(spec.activation for run in runs for spec in run.specs))
    if absent := [arm for arm in arms if arm not in known]:
        raise UserError(f"--arms names {', '.join(absent)}, but the arms of these runs are {', '.join(known)}.")
    return [replace(run, specs=[s for s in run.specs if s.activation in (arms or known)]) for run in runs]


def _check_comparable(runs: Sequence[_Run]) -> None:
    first = runs[0]
    for other in runs[1:]:
        differ = [
            f"{what} ({ours} and {theirs})"
            for what, ours, theirs in (
                ("data", first.data_sha256[:8], other.data_sha256[:8]),
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


def _load(run: _Run, data: str | None) -> Digits:
    """The runs' data, checked to be what they were trained on."""
    digits = load(data or run.config.data)
    if digits.digest() != run.data_sha256:
        raise UserError(f"{digits.source} is not the data of {run.folder.path}. Name the right one with --data.")
    return digits


def _labels(runs: Sequence[_Run]) -> list[Callable[[str], str]]:
    """For each run, how an activation of it is called."""
    if len({recipe(run.config) for run in runs}) == 1:
        return ["{}".format for _ in runs]
    names = [run.config.name for run in runs]
    if len(set(names)) < len(names):
        names = [run.folder.path.name for run in runs]
    return [f"{{}} ({name})".format for name in names]


def _check_unique(finished: Sequence[Member]) -> None:
    seen = set()
    for member in finished:
        key = (member.arm, member.spec.seed, member.spec.fold)
        if key in seen:
            raise UserError(f"{member.spec.id} is in two of the runs, trained alike. Name only one of them.")
        seen.add(key)


def _name(runs: Sequence[_Run]) -> str:
    parts = [
        part
        for run in runs
        for part in (str(run.folder.path.resolve()), *dict.fromkeys(s.activation for s in run.specs))
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
