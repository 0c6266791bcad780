"""Runs on disk, finished or half-finished, opened again: to compare them or to let them vote together."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.places import expanded
from pipeline.config.schema import MemberSpec, RunConfig, member_specs
from pipeline.config.text import printable
from pipeline.data.digits import Digits, load
from pipeline.records.finished import FinishedMembers
from pipeline.records.members import MANIFEST, Member
from pipeline.records.readers import DamagedError, read_sealed
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record


@dataclass(frozen=True)
class OpenedRun:
    """A run's folder, as far as it has come."""

    folder: RunFolder
    config: RunConfig
    data_sha256: str
    members: FinishedMembers
    specs: list[MemberSpec]
    """Its members, finished or not, and those that earlier commands with other arms, seeds or folds have left."""


def open_run(folder: RunFolder) -> OpenedRun:
    """Open a run.

    Raises:
        UserError: the folder holds no run, or its records are damaged.
    """
    if folder.path.is_file():
        raise UserError(f"{folder.path} is a file. Name the run's folder: {folder.path.parent}")
    try:
        config, data_sha256 = folder.read_config(), folder.read_data_digest()
    except OSError as error:
        if folder.push.exists():
            raise UserError(
                f"{folder.path} was pushed to Kaggle and is not fetched yet: python -m pipeline fetch {folder.path}"
            ) from None
        if folder.is_blend and (record := read_submission_record(folder)):
            runs = " ".join(record.runs.values())
            raise UserError(f"{folder.path} is a blend, not a run. Name its runs: {runs}") from None
        raise UserError(f"{folder.path} is no run's folder: cannot read {error.filename} ({error.strerror}).") from None
    wanted, members = member_specs(config), FinishedMembers(folder, data_sha256)
    return OpenedRun(folder, config, data_sha256, members, wanted + _left_by_others(folder, wanted, members))


def _left_by_others(folder: RunFolder, wanted: Sequence[MemberSpec], members: FinishedMembers) -> list[MemberSpec]:
    """Finished members of the same recipe that the folder's config does not ask for."""
    found = []
    for path in sorted(folder.members.glob("*/" + MANIFEST)):
        with suppress(DamagedError, KeyError, TypeError):  # no finished member
            own = read_sealed(path)["spec"]
            spec = MemberSpec(wanted[0].recipe, own["activation"], own["seed"], own["fold"])
            if spec not in wanted and spec.id == path.parent.name and members.read(spec):
                found.append(spec)
    return found


def read_run(run: OpenedRun, name: str = "") -> tuple[list[Member], list[str]]:
    """The finished members of a run, labelled as of that name if one is given, and why others are missing."""
    finished, missing = run.members.among(run.specs)
    if name:
        finished = [replace(member, label=f"{member.arm} ({printable(name)})") for member in finished]
    return finished, list(missing.values())


def run_names(runs: Sequence[OpenedRun]) -> list[str]:
    """A name for each run, unique among them: the config's, or else the folder's, or else the whole path.

    Raises:
        UserError: two of the runs are one folder.
    """
    for names in (
        [run.config.name for run in runs],
        [run.folder.path.name for run in runs],
        [str(run.folder.path.resolve()) for run in runs],
    ):
        if len(set(names)) == len(names):
            return names
    raise UserError(f"the same run is named twice: {next(name for name in names if names.count(name) > 1)}")


def arm_names(runs: Sequence[OpenedRun]) -> list[str]:
    """For each run, what its activations are told apart by: nothing if all runs have one recipe, else its name."""
    return [""] * len(runs) if len({run.config.recipe for run in runs}) == 1 else run_names(runs)


def load_data(runs: Sequence[OpenedRun], where: str | None) -> Digits:
    """Load the data that the runs were trained on.

    Args:
        runs: Opened runs.
        where: A config's `data` field; by default the first run's.

    Raises:
        UserError: the runs differ in their data, or what is found there is other data.
    """
    first = runs[0]
    for other in runs[1:]:
        if other.data_sha256 != first.data_sha256:
            raise UserError(
                f"{first.folder.path} and {other.folder.path} do not go together: they were trained on different data "
                f"({first.data_sha256[:8]} and {other.data_sha256[:8]})."
            )
    digits = load(where or _place_of_data(first))
    if digits.digest() != first.data_sha256:
        raise UserError(f"{digits.source} is not the data of {first.folder.path}. Name the right one with --data.")
    return digits


def _place_of_data(run: OpenedRun) -> str:
    """Where a run's data is: where its config says, seen from here or, if the run was moved, from above its folder."""
    named = run.config.data
    if named in ("auto", "sample"):
        return named
    for place in (expanded(named), *(parent / named for parent in run.folder.path.resolve().parents)):
        if place.exists():
            return str(place)
    raise UserError(
        f"{run.folder.path} was trained on {named}, which is neither here nor above the run's folder. Name its place "
        "with --data."
    )


def folders_digest(folders: Sequence[Path], more: Sequence[str] = ()) -> str:
    """Eight hex digits that stand for some runs' folders, and what else is asked of them."""
    parts = [*(str(folder.resolve()) for folder in folders), *more]
    return hashlib.sha256(os.fsencode("\n".join(parts))).hexdigest()[:8]
