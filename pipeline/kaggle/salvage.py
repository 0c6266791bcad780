"""What a kernel finished before it failed or ran out of time: its members, each checked by its own manifest."""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pipeline.config.command import run_command
from pipeline.config.errors import RunError, UserError
from pipeline.config.schema import MemberSpec, RunConfig, digest, member_specs
from pipeline.data.submission_file import check_submission
from pipeline.kaggle.calls import OutputFile, download_outputs
from pipeline.kaggle.pushes import Push
from pipeline.kaggle.submit import competition_ids
from pipeline.kaggle.watch import log_text
from pipeline.records.atomic import file_sha256
from pipeline.records.members import FILES, MANIFEST, read_member
from pipeline.records.readers import DamagedError
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record


def salvage(files: list[OutputFile], log: str, pushed: Push, folder: RunFolder, download: Path) -> str:
    """Bring the finished members of a kernel that did not end well into the run's folder here.

    Args:
        files: What the kernel wrote.
        log: What it printed; its first line says which push it was.
        pushed: The push that it must be of.
        folder: The run's folder here, which has the run's config.
        download: An empty folder for what has not been checked yet.

    Returns:
        What was fetched, and how to train the rest, for people.

    Raises:
        RunError: it is another push's kernel, or it finished no member.
    """
    if pushed.mark not in log_text(log):
        raise RunError(f"its log does not say that it ran this push. See {pushed.url}")
    config = folder.read_config()
    specs = member_specs(config)
    root, content = _run_files(files)
    there = RunFolder(download / root)
    _download(
        content,
        [path.name for path in (there.config, there.data, there.submission, there.submission_record)],
        there.path,
    )
    if not there.data.exists():
        raise RunError("it had not finished a network.")
    data_digest = there.read_data_digest()
    taken = [spec for spec in specs if _take_member(spec, content, there, folder, data_digest)]
    if not taken:
        raise RunError("it had not finished a network.")
    there.data.replace(folder.data)
    outcome = f"{len(taken)} of {len(specs)} networks were finished; they are in {folder.path}."
    if _take_submission(there, folder):
        outcome += f" So is a submission of what was finished: {folder.submission}."
    return f"{outcome} {rest_command(config, folder)}"


def rest_command(config: RunConfig, folder: RunFolder) -> str:
    """How to train here what a kernel did not finish, for people; not with the kernel's hours and accelerator."""
    return f"To train the rest here: {run_command(replace(config, out=str(folder.path), hours=None, device='auto'))}"


def _run_files(files: list[OutputFile]) -> tuple[str, dict[str, OutputFile]]:
    """The run's folder in a kernel's output, and the files in it by their names in that folder."""
    roots = [PurePosixPath(file.name).parent for file in files if PurePosixPath(file.name).name == "config.json"]
    if not roots:
        raise RunError("it had not begun the run.")
    root = min(roots, key=lambda path: len(path.parts))
    inside = [file for file in files if PurePosixPath(file.name).is_relative_to(root)]
    return str(root), {PurePosixPath(file.name).relative_to(root).as_posix(): file for file in inside}


def _download(content: dict[str, OutputFile], names: list[str], target: Path) -> None:
    wanted = [OutputFile(name, content[name].url) for name in names if name in content]
    if wanted:
        download_outputs(wanted, target)


def _take_member(
    spec: MemberSpec, content: dict[str, OutputFile], there: RunFolder, folder: RunFolder, data_digest: str
) -> bool:
    """Fetch a member and move it to the run's folder here, if it is finished and whole; whether it is here then."""
    if _is_whole(folder.member(spec), spec, data_digest):
        return True
    _download(content, [f"members/{spec.id}/{name}" for name in (MANIFEST, *FILES)], there.path)
    member = there.member(spec)
    if not _is_whole(member, spec, data_digest):
        return False
    folder.members.mkdir(exist_ok=True)
    shutil.rmtree(folder.member(spec), ignore_errors=True)
    member.replace(folder.member(spec))
    return True


def _is_whole(member: Path, spec: MemberSpec, data_digest: str) -> bool:
    with suppress(DamagedError):
        read_member(member, spec, data_digest)
        return True
    return False


def _take_submission(there: RunFolder, folder: RunFolder) -> bool:
    """Move a provisional submission to the run's folder here, if it is whole and of this run's config.

    The kernel's config goes with it: in what no member depends on, such as its hours, it may differ from the one here.
    """
    try:
        check_submission(there.submission, competition_ids())
        record = read_submission_record(there)
        if record is None or record.sha256 != file_sha256(there.submission):
            return False
        if digest(there.read_config()) != digest(folder.read_config()):
            return False
    except (UserError, OSError):
        return False
    for path, target in ((there.config, folder.config), (there.submission_record, folder.submission_record)):
        path.replace(target)
    there.submission.replace(folder.submission)
    return True
