"""What a kernel finished before it failed or ran out of time: its members, each checked by its own manifest."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pipeline.config.command import run_command
from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec, RunConfig, digest, member_specs
from pipeline.kaggle.calls import download_outputs
from pipeline.kaggle.pushes import Push
from pipeline.kaggle.watch import log_text
from pipeline.records.members import FILES, MANIFEST, read_member
from pipeline.records.readers import DamagedError
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import recorded_voters


def salvage(files: Mapping[str, str], log: str, pushed: Push, folder: RunFolder, download: Path) -> str:
    """Bring the finished members of a kernel that did not end well into the run's folder here.

    Args:
        files: What the kernel wrote, as of `kernel_output`.
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
    root = RunFolder.of(replace(config, out=None))  # as the kernel names it in its working directory
    there = RunFolder(download / root.path)
    wanted = (root.config, root.data, root.submission, root.submission_record)
    download_outputs(files, [path.as_posix() for path in wanted], download)
    taken = []
    if there.data.exists():
        data_digest = there.read_data_digest()
        taken = [spec for spec in specs if _take_member(spec, data_digest, files, root, download, folder)]
    if not taken:
        raise RunError("it had not finished a network.")
    there.data.replace(folder.data)
    outcome = f"{len(taken)} of {len(specs)} networks were finished; they are in {folder.path}."
    if recorded_voters(there) and digest(there.read_config()) == digest(config):
        # With the config that it was written under: in what no member depends on, it may differ from the one here.
        for path in (there.config, there.submission_record, there.submission):
            path.replace(folder.path / path.name)
        outcome += f" So is a submission of what was finished: {folder.submission}."
    return f"{outcome} {rest_command(config, folder)}"


def rest_command(config: RunConfig, folder: RunFolder) -> str:
    """How to train here what a kernel did not finish, for people; not with the kernel's hours and accelerator."""
    return f"To train the rest here: {run_command(replace(config, out=str(folder.path), hours=None, device='auto'))}"


def _take_member(
    spec: MemberSpec, data_digest: str, files: Mapping[str, str], root: RunFolder, download: Path, folder: RunFolder
) -> bool:
    """Fetch a member and move it to the run's folder here, if it is finished and whole; whether it is here then."""
    theirs, target = root.member(spec), folder.member(spec)
    if _is_whole(target, spec, data_digest):
        return True
    download_outputs(files, [(theirs / name).as_posix() for name in (MANIFEST, *FILES)], download)
    if not _is_whole(download / theirs, spec, data_digest):
        return False
    folder.members.mkdir(exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    (download / theirs).replace(target)
    return True


def _is_whole(member: Path, spec: MemberSpec, data_digest: str) -> bool:
    with suppress(DamagedError):
        read_member(member, spec, data_digest)
        return True
    return False
