"""Fetch a kernel's output, whole or not at all, and only if it is of the push that it is taken for."""

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.config.errors import RunError
from pipeline.config.places import make_folder, runs_folder
from pipeline.kaggle.calls import OutputFile, download_outputs, kernel_output
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.push import FETCH, Push
from pipeline.kaggle.watch import log_lines
from pipeline.records.atomic import atomic_replace, atomic_write_json, file_sha256
from pipeline.records.run_folder import RECEIPT, RunFolder


def fetch(kaggle: Kaggle, pushed: Push, folder: RunFolder) -> None:
    """Download a complete kernel's output and make it the run's folder, once it is all there and of that push.

    Raises:
        RunError: the output is another run's or not whole; the folder is as it was.
    """
    files, log = kernel_output(kaggle, pushed.kernel)
    for file in files:
        if PurePosixPath(file.name).is_absolute() or ".." in PurePosixPath(file.name).parts:
            raise RunError(f"the output of {pushed.kernel} has a file outside of its folder: {file.name!r}")
    with tempfile.TemporaryDirectory(dir=make_folder(runs_folder()), prefix=".fetch-") as name:
        download = Path(name)
        receipts = [file for file in files if file.name == RECEIPT]
        download_outputs(receipts, download)
        receipt = _checked_receipt(download / RECEIPT, pushed)
        listed: dict[str, str] = receipt["sha256"]
        download_outputs([file for file in files if file.name in listed], download)
        _check_whole(download, listed, files)
        with atomic_replace(folder.path) as temporary:
            shutil.copytree(download / receipt["folder"], temporary)
            fetched = RunFolder(temporary)
            shutil.copyfile(download / RECEIPT, fetched.receipt)
            fetched.kernel_log.write_text("".join(log_lines(log)), encoding="utf-8")
            atomic_write_json(fetched.push, asdict(pushed))
    print(f"fetched {len(listed)} files to {folder.path}", flush=True)


def is_fetched(folder: RunFolder) -> bool:
    """Whether a pushed run's output is here."""
    return folder.comparison.exists()


def _checked_receipt(path: Path, pushed: Push) -> dict[str, Any]:
    """The receipt that the kernel left, if it is of this push."""
    theirs = f"the output of {pushed.kernel}"
    if not path.exists():
        raise RunError(f"{theirs} has no {RECEIPT}: it is another run's, or it did not end well. See {pushed.url}")
    try:
        receipt = json.loads(path.read_text())
        ours = (receipt["run_id"], receipt["bundle_sha256"]) == (pushed.run_id, pushed.bundle_sha256)
        where = PurePosixPath(receipt["folder"])
        sound = isinstance(receipt["sha256"], dict) and not where.is_absolute() and ".." not in where.parts
    except (ValueError, KeyError, TypeError):
        ours = sound = False
        receipt = {}
    if not ours:
        raise RunError(
            f"{theirs} is of another run ({receipt.get('run_id') or 'unknown'}, not {pushed.run_id}): the kernel was "
            f"pushed again since. Nothing was replaced. Its versions: {pushed.url}"
        )
    if not sound:
        raise RunError(f"{theirs} has a damaged {RECEIPT}. Try again: {FETCH}")
    return receipt


def _check_whole(download: Path, listed: dict[str, str], files: list[OutputFile]) -> None:
    """Raise a RunError unless every file of the receipt is there with its hash."""
    missing = sorted(set(listed) - {file.name for file in files})
    damaged = [
        name for name, sha256 in listed.items() if name not in missing and file_sha256(download / name) != sha256
    ]
    if missing or damaged:
        raise RunError(
            f"the output did not arrive whole ({len(missing)} files missing, {len(damaged)} damaged, such as "
            f"{(missing + damaged)[0]}). Nothing was replaced. Try again: {FETCH}"
        )
