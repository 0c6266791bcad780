"""Blend finished runs, of any architecture, trained here or at Kaggle: all their networks vote on one submission."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, make_folder, runs_folder
from pipeline.config.schema import MemberSpec, Vote
from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.ensemble.submission import write_submission
from pipeline.ensemble.voters import voters_of
from pipeline.ensemble.weights import weighed
from pipeline.evidence.contributions import judge_blend
from pipeline.evidence.selections import FEWEST_ROWS, judge_selections
from pipeline.records.atomic import atomic_replace, file_sha256
from pipeline.records.blend_record import BlendRecord, write_blend
from pipeline.records.members import Member
from pipeline.records.opened_runs import OpenedRun, joint_name, load_data, open_run, read_run, run_names
from pipeline.records.run_folder import RunFolder
from pipeline.report.sentences import blend_votes
from pipeline.report.terminal import new_console, show_blend


def blend_runs(
    folders: Sequence[Path], vote: Vote = "equal", out: Path | None = None, data: str | None = None
) -> RunFolder:
    """Let the networks of several runs vote together; print what each run adds; write a submission.

    Args:
        folders: The runs' folders. A half-finished run votes with what it has, and the output says so.
        vote: Weights of the votes. equal: every network has the same. greedy, fitted: chosen on validation rows.
        out: Where to write; by default runs/blend-DIGEST.
        data: Where the data is; by default where the first run found it.

    Returns:
        The folder that was written to.

    Raises:
        UserError: fewer than two runs, a run without a finished network, runs of other data, a run that adds no
            network, weights asked for where the runs did not predict the same validation rows, or a folder that holds
            something else.
    """
    if len(folders) < 2:
        raise UserError(f"blend takes two or more runs. Received: {', '.join(map(str, folders)) or 'none'}")
    runs = [open_run(RunFolder(folder)) for folder in folders]
    digits = load_data(runs, data)
    groups, missing, notes = _members_of(runs)
    members = [member for group in groups.values() for member in group]
    probabilities, weights = _votes(vote, groups, digits, notes)
    blend, voters = judge_blend(groups, digits), voters_of(members, digits)
    selections = judge_selections(voters, digits.held_back_labels) if voters else []
    target = _own_folder(out or runs_folder() / f"blend-{joint_name(runs, vote)}")
    with atomic_replace(target.submission) as temporary:  # last: predictions that fit no record are never sent
        write_submission(temporary, digits.image_ids, predicted_labels(probabilities))
        record = BlendRecord(
            submission_sha256=file_sha256(temporary),
            runs={name: str(run.folder.path) for name, run in zip(groups, runs, strict=True)},
            members={name: [member.spec.id for member in group] for name, group in groups.items()},
            missing=missing,
            vote=vote,
            weights=weights,
            scores=asdict(blend) if blend else None,
            selections=[asdict(selection) for selection in selections],
        )
        write_blend(target, record)
    console = new_console()
    for note in notes:
        console.print(f"WARNING: {note}", style="bold red", markup=False)
    show_blend(console, groups, blend, selections)
    console.print(f"submission: {target.submission}, {blend_votes(record)}", markup=False)
    return target


def _own_folder(path: Path) -> RunFolder:
    """A folder for the blend alone: new, empty, or that of an earlier blend.

    Raises:
        UserError: it holds something else, such as a run and its submission; or it cannot be written.
    """
    target = RunFolder(make_folder(path, CHOOSE_ANOTHER))
    if not target.blend.exists() and any(not inside.name.startswith(".") for inside in path.iterdir()):
        raise UserError(f"the folder {path} is not empty and holds no blend. Choose another with --out.")
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
        found, missing = read_run(run, f"{{}} ({name})".format)
        if not found:
            raise UserError(f"{run.folder.path} has no finished network: {missing[0]}")
        if missing:
            count = len(missing) + len(found)
            notes.append(f"{name} is half-finished: {len(found)} of its {count} networks vote, as {missing[0]}")
            lacking += len(missing)
        groups[name] = [member for member in found if member.spec not in voting_in]
        if again := [member.spec for member in found if member.spec in voting_in]:
            ids, where = (
                ", ".join(spec.id for spec in again),
                " and ".join(dict.fromkeys(str(voting_in[spec]) for spec in again)),
            )
            if not groups[name]:
                raise UserError(
                    f"{run.folder.path} adds no network: {where} has {ids} too, trained alike. Leave it out."
                )
            notes.append(f"{ids} of {run.folder.path} vote once: {where} has them too, trained alike")
        voting_in |= {member.spec: run.folder.path for member in groups[name]}
    return groups, lacking, notes


def _votes(
    vote: Vote, groups: Mapping[str, Sequence[Member]], digits: Digits, notes: list[str]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Probabilities of the test images, shape (m, 10), and the voters' weights by name; none with equal votes."""
    members = [member for group in groups.values() for member in group]
    if vote == "equal":
        return soft_vote([member.test_probabilities for member in members]), {}
    _check_weighable(vote, groups, digits)
    voters, weights = weighed(vote, members, digits)
    if len(voters.truth) < FEWEST_ROWS:
        notes.append(f"the weights are chosen on {len(voters.truth)} rows only, too few to tell voters apart")
    return voters.vote(weights), voters.named(weights)


def _check_weighable(vote: Vote, groups: Mapping[str, Sequence[Member]], digits: Digits) -> None:
    """Raise a UserError unless there are rows that every voter of the runs predicted out of fold."""
    blind = [name for name, group in groups.items() if not any(member.validation_rows.size for member in group)]
    if blind:
        names = ", ".join(blind)
        leave_out = f", or leave {names} out" if len(blind) < len(groups) - 1 else ""
        raise UserError(
            f"--vote {vote} takes weights from validation rows, and the networks of {names} have none: they trained on "
            f"all rows. Use --vote equal{leave_out}."
        )
    gathered: list[Member] = []
    for name, group in groups.items():
        gathered += group
        voters = voters_of(gathered, digits)
        if voters and not len(voters.truth):
            arms = ", ".join(sorted({member.arm for member in group}))
            raise UserError(
                f"--vote {vote} needs networks that predicted the same validation rows, and those of {name} ({arms}) "
                f"did not. Use --vote equal, or leave {name} out."
            )
