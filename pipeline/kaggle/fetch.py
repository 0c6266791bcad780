"""Fetch a kernel's output: whole if the kernel ended well, else its finished members; only what is of that push."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import make_folder
from pipeline.config.schema import member_specs
from pipeline.config.text import last_lines
from pipeline.kaggle.calls import download_outputs, kernel_output
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.pushes import FETCH, Push, fetch_command, write_push
from pipeline.kaggle.salvage import rest_command, salvage
from pipeline.kaggle.watch import log_text, watch
from pipeline.records.atomic import atomic_replace, atomic_write_json, file_sha256
from pipeline.records.readers import DamagedError, read_record
from pipeline.records.run_folder import RECEIPT, RunFolder
from pipeline.records.submission_record import read_submission_record

LOG_TAIL = 30  # lines of a failed kernel's log that are shown


@dataclass(frozen=True)
class Receipt:
    """What a kernel wrote: kernel.json, its last file."""

    bundle_sha256: str
    folder: str
    """The run's, in the kernel's working directory."""
    sha256: dict[str, str]
    """Of every file, by its name there."""

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere."""
        if not all(map(_is_inside, (self.folder, *self.sha256))):
            raise ValueError("a file is outside of the kernel's folder")


def follow(kaggle: Kaggle, pushed: Push, folder: RunFolder) -> None:
    """Watch a kernel to its end, and fetch what it left.

    Raises:
        RunError: it did not end well, even if some of its members were fetched; or the output is not whole.
    """
    status, reason = watch(kaggle, pushed, folder)
    if status == "COMPLETE":
        fetch(kaggle, pushed, folder)
        return
    write_push(replace(pushed, status=status), folder)
    what = "failed" if status == "ERROR" else "was cancelled: by hand, or at Kaggle's time limit"
    raise RunError(
        f"the kernel {pushed.kernel} {what}{f' ({reason})' if reason else ''}. What it wrote until then is at "
        f"{pushed.url}. {_left_by_failed(kaggle, pushed, folder)}"
    )


def fetch(kaggle: Kaggle, pushed: Push, folder: RunFolder) -> None:
    """Download a complete kernel's output into the run's folder, once it is all there and of that push.

    Raises:
        RunError: the output is another run's or not whole; the folder is as it was.
    """
    files, log = kernel_output(kaggle, pushed.kernel)
    with folder.opened(folder.read_config()):
        with _downloading(folder) as download:
            download_outputs(files, [RECEIPT], download)
            receipt = _checked_receipt(download / RECEIPT, pushed, folder)
            download_outputs(files, receipt.sha256, download)
            _check_whole(download, receipt.sha256, files, folder)
            _check_config(RunFolder(download / receipt.folder), pushed, folder)
            _move_into(download / receipt.folder, folder.path)
            _write_log(folder, log)
        atomic_write_json(folder.receipt, asdict(receipt))  # last: it says that all is here
    print(f"fetched {len(receipt.sha256)} files to {folder.path}", flush=True)
    record = read_submission_record(folder)
    if record and record.incomplete:
        print(
            f"{record.incomplete}: the others were not finished in time. {rest_command(folder.read_config(), folder)}",
            flush=True,
        )


def is_fetched(folder: RunFolder) -> bool:
    """Whether a pushed run's output is here."""
    return folder.receipt.exists()


def _left_by_failed(kaggle: Kaggle, pushed: Push, folder: RunFolder) -> str:
    """The end of the log of a kernel that did not end well, and what came of fetching what it left, in words."""
    tail = ""
    try:
        files, log = kernel_output(kaggle, pushed.kernel)
        tail = f"The end of its log:\n{last_lines(log_text(log), LOG_TAIL)}\n"
        if RECEIPT in files:  # it broke after its last step, or says itself what is missing
            fetch(kaggle, pushed, folder)
            return f"{tail}All that it wrote is in {folder.path}."
        with folder.opened(folder.read_config()), _downloading(folder) as download:
            outcome = salvage(files, log, pushed, folder, download)
            _write_log(folder, log)
    except (UserError, RunError) as error:
        outcome = f"Nothing of it could be fetched: {error}"
    return tail + outcome


def _is_inside(name: str) -> bool:
    """Whether a file's name stays within the folder that it is relative to, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    return bool(name) and not path.is_absolute() and ".." not in path.parts and ":" not in name


@contextmanager
def _downloading(folder: RunFolder) -> Iterator[Path]:
    """An empty folder beside the run's, for this command alone; removed afterwards."""
    download = folder.path.with_name(f".fetch-{folder.path.name}")
    shutil.rmtree(download, ignore_errors=True)  # of a command that was killed
    try:
        yield make_folder(download)
    finally:
        shutil.rmtree(download, ignore_errors=True)


def _move_into(source: Path, target: Path) -> None:
    """Move all that is in a folder into another one of the same disk; folders are merged, files replaced."""
    for path in sorted(source.iterdir()):
        there = target / path.name
        if path.is_dir() and there.is_dir():
            _move_into(path, there)
        else:
            path.replace(there)


def _write_log(folder: RunFolder, log: str) -> None:
    with atomic_replace(folder.kernel_log) as temporary:
        temporary.write_text(log_text(log), encoding="utf-8", errors="backslashreplace")


def _checked_receipt(path: Path, pushed: Push, folder: RunFolder) -> Receipt:
    """The receipt that the kernel left, if it is of this push."""
    theirs = f"the output of {pushed.kernel}"
    try:
        receipt = read_record(path, Receipt)
    except FileNotFoundError:
        raise RunError(
            f"{theirs} has no {RECEIPT}: it is another run's, or it did not end well. See {pushed.url}"
        ) from None
    except DamagedError:
        raise RunError(
            f"{theirs} has a damaged {RECEIPT}. Nothing was replaced. Try again: {fetch_command(folder)}"
        ) from None
    if receipt.bundle_sha256 != pushed.bundle_sha256:
        raise RunError(
            f"{theirs} is of another run: the kernel was pushed again since. Nothing was replaced. Its versions: "
            f"{pushed.url}"
        )
    return receipt


def _check_whole(download: Path, expected: Mapping[str, str], files: Mapping[str, str], folder: RunFolder) -> None:
    """Raise a RunError unless every file of the receipt is there with its hash."""
    missing = [name for name in expected if name not in files]
    damaged = [name for name in expected if name not in missing and file_sha256(download / name) != expected[name]]
    if missing or damaged:
        raise RunError(
            f"the output did not arrive whole ({len(missing)} files missing, {len(damaged)} damaged, such as "
            f"{(missing + damaged)[0]}). Nothing was replaced. Try again: {fetch_command(folder)}"
        )


def _check_config(fetched: RunFolder, pushed: Push, folder: RunFolder) -> None:
    """Raise a RunError if the kernel trained other networks than were pushed: its CONFIG was edited at Kaggle."""
    if fetched.config.exists() and member_specs(fetched.read_config()) != member_specs(folder.read_config()):
        raise RunError(
            f"CONFIG of {pushed.kernel} was edited at Kaggle since it was pushed. Nothing was replaced. To fetch it as "
            f"a run of its own: {FETCH} {pushed.kernel}"
        )
