"""Blend finished runs, of any architecture, trained here or at Kaggle: all their networks vote on one submission."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.places import runs_folder
from pipeline.config.schema import MemberSpec
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.ensemble.submission import keep_copy_of, make_room_for_copies, write_submission
from pipeline.evidence.contributions import judge_blend
from pipeline.records.members import Member
from pipeline.records.opened_runs import OpenedRun, folders_digest, load_data, open_run, read_run, run_names
from pipeline.records.run_folder import RunFolder, own_folder
from pipeline.records.submission_record import SubmissionRecord
from pipeline.report.terminal import blend_screen, new_console, show


def blend_runs(folders: Sequence[Path], out: Path | None = None, data: str | None = None) -> RunFolder:
    """Let the networks of several runs vote together; print what each run adds; write a submission.

    Args:
        folders: The runs' folders. A half-finished run votes with what it has, and the output says so.
        out: Where to write; by default runs/blend-DIGEST.
        data: Where the data is; by default where the first run found it.

    Returns:
        The folder that was written to.

    Raises:
        UserError: fewer than two runs, a run without a finished network, runs of other data, a run that adds no
            network, or a folder that holds something else.
    """
    make_room_for_copies()
    if len(folders) < 2:
        raise UserError(f"blend takes two or more runs. Received: {', '.join(map(str, folders)) or 'none'}")
    runs = [open_run(RunFolder(folder)) for folder in folders]
    digits = load_data(runs, data)
    groups, missing, notes = _members_of(runs)
    members = [member for group in groups.values() for member in group]
    predictions = predicted_labels(soft_vote([member.test_probabilities for member in members]))
    blend = judge_blend(groups, digits)
    target = own_folder(out or runs_folder() / f"blend-{folders_digest(folders)}", "blend", lambda it: it.is_blend)
    made_of = SubmissionRecord(
        members={name: [member.spec.id for member in group] for name, group in groups.items()},
        missing=missing,
        runs={name: str(run.folder.path) for name, run in zip(groups, runs, strict=True)},
        scores=asdict(blend) if blend else None,
    )
    write_submission(target, digits.image_ids, predictions, made_of)
    copy = keep_copy_of(target, target.path.absolute().name)
    console = new_console()
    is_sample = any(run.config.data == "sample" for run in runs)
    show(console, blend_screen(blend, made_of, notes, (target, copy), is_sample, console.width))
    return target


def _members_of(runs: Sequence[OpenedRun]) -> tuple[dict[str, list[Member]], int, list[str]]:
    """The finished members of each run, by the run's name, each network once.

    Returns:
        With them, how many networks are missing, and what the user should know.
    """
    groups: dict[str, list[Member]] = {}
    lacking, notes = 0, []
    voting_in: dict[MemberSpec, Path] = {}
    for run, name in zip(runs, run_names(runs), strict=True):
        found, missing = read_run(run)
        if not found:
            raise UserError(f"{run.folder.path} has no finished network: {missing[0]}")
        if missing:
            count = len(missing) + len(found)
            notes.append(f"{name} is half-finished: {len(found)} of its {count} networks vote, as {missing[0]}")
            lacking += len(missing)
        groups[name] = [member for member in found if member.spec not in voting_in]
        if again := [member.spec for member in found if member.spec in voting_in]:
            ids = ", ".join(spec.id for spec in again)
            where = " and ".join(dict.fromkeys(str(voting_in[spec]) for spec in again))
            if not groups[name]:
                raise UserError(
                    f"{run.folder.path} adds no network: {where} has {ids} too, trained alike. Leave it out."
                )
            notes.append(f"{ids} of {run.folder.path} vote once: {where} has them too, trained alike")
        voting_in |= {member.spec: run.folder.path for member in groups[name]}
    return groups, lacking, notes
