"""Push a bundle as a Kaggle kernel, follow it to its end, and fetch its output, whole or not at all."""

import json
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.bundle import write_bundle
from pipeline.config import RunConfig, RunError, UserError, to_json
from pipeline.kaggle_api import Kaggle, NoAnswerError
from pipeline.kaggle_calls import OutputFile, download_outputs, kernel_output, kernel_source, kernel_status
from pipeline.kernel import RECEIPT
from pipeline.kernel_metadata import fill_owner, read_metadata
from pipeline.paths import COMPETITION, make_folder, run_folder, runs_folder, written_aside
from pipeline.run import COMPARISON, CONFIG_FILE, write_json
from pipeline.submission_log import file_hash

PUSH_FILE, LOG_FILE = "push.json", "kernel.log"
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two looks at the status
LOOKS = (1, 3, 9)  # seconds before each look for a push that may have arrived
MOST_FAILURES = 20  # looks in a row without an answer, before it is given up: some ten minutes
_FETCH = "python -m pipeline fetch"
LOG_TAIL = 30  # lines of a failed kernel's log that are shown

# What Kaggle's refusals speak of -> what to do.
REFUSALS = {
    "session": "Wait for a running kernel to end, or stop one: https://www.kaggle.com/code/active-sessions",
    "quota": "GPU hours are counted per week: https://www.kaggle.com/settings shows what is left and when more come.",
    "title": "Change title and id in kernel-metadata.json.",
    "slug": "Change title and id in kernel-metadata.json.",
}


@dataclass(frozen=True)
class Push:
    """What was pushed; push.json in the run's folder."""

    kernel: str
    """owner/slug."""
    version: int
    url: str
    run_id: str
    bundle_sha256: str
    time: str
    """ISO 8601, UTC."""


def push(kaggle: Kaggle, config: RunConfig) -> tuple[Push, Path]:
    """Bundle a config, push it, and print the kernel's address.

    Returns:
        What was pushed, and the folder that the run will have here.

    Raises:
        UserError: config, metadata or account are not in order.
        RunError: Kaggle refused or failed.
    """
    metadata = fill_owner(read_metadata(), kaggle.user)
    run_id = secrets.token_hex(4)
    bundle_hash = write_bundle(config, run_id)
    try:
        response = kaggle.save_kernel(Path())
        _check_accepted(response)
        version, url = response.version_number or 0, response.url
    except NoAnswerError as error:
        # A second push would start a second session, so look first.
        print(f"{error}\nlooking whether it arrived all the same", flush=True)
        version = _arrived_version(kaggle, metadata.id, run_id)
        if version is None:
            raise RunError(f"{error} Kaggle does not have this version; push again.") from None
        url = f"https://www.kaggle.com/code/{metadata.id}"
    url = f"https://www.kaggle.com{url}" if url.startswith("/") else url
    pushed = Push(metadata.id, version, url, run_id, bundle_hash, datetime.now(UTC).isoformat(timespec="seconds"))
    folder = make_folder(_folder_of(config, run_id))
    write_json(folder / PUSH_FILE, asdict(pushed))
    with written_aside(folder / CONFIG_FILE) as aside:
        aside.write_text(to_json(replace(config, out=None)))
    print(f"pushed version {version} of {pushed.kernel}: {url}", flush=True)
    return pushed, folder


def watch(kaggle: Kaggle, pushed: Push) -> None:
    """Follow a kernel, printing its status and its log, until it is complete.

    Raises:
        UserError: the kernel is not to be found.
        RunError: it failed or was cancelled, or Kaggle gave no answer for long.
    """
    shown, failures, last, pause = 0, 0, "", FIRST_PAUSE
    while True:
        try:
            status, reason = kernel_status(kaggle, pushed.kernel)
            failures = 0
        except NoAnswerError as error:
            failures += 1
            if failures == MOST_FAILURES:
                raise RunError(f"{error} The kernel goes on: {pushed.url}. To follow it again: {_FETCH}") from None
            print(error, flush=True)
            status, reason = last, ""
        if status != last:
            print(f"{pushed.kernel}: {status}", flush=True)
            last, pause = status, FIRST_PAUSE
        if status == "COMPLETE":
            _show_log(kaggle, pushed.kernel, shown)
            return
        if status in ("ERROR", "CANCEL_ACKNOWLEDGED"):
            _raise_failure(kaggle, pushed, status, reason)
        if status == "RUNNING":
            shown = _show_log(kaggle, pushed.kernel, shown)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def fetch(kaggle: Kaggle, pushed: Push, folder: Path) -> None:
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
        with written_aside(folder) as aside:
            shutil.copytree(download / receipt["folder"], aside)
            shutil.copyfile(download / RECEIPT, aside / RECEIPT)
            (aside / LOG_FILE).write_text("".join(_log_lines(log)), encoding="utf-8")
            write_json(aside / PUSH_FILE, asdict(pushed))
    print(f"fetched {len(listed)} files to {folder}", flush=True)


def find_push(folder: Path | None) -> tuple[Push, Path]:
    """The push that a run's folder records, or the latest one of all runs; and that folder.

    Raises:
        UserError: there is none, or its record is damaged.
    """
    if folder is None:
        found = sorted(runs_folder().glob(f"*/{PUSH_FILE}"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise UserError(f"nothing was pushed from here: no {runs_folder()}/*/{PUSH_FILE}. Use the command push.")
        folder = found[-1].parent
    path = folder / PUSH_FILE
    try:
        return TypeAdapter(Push).validate_json(path.read_text()), folder
    except FileNotFoundError:
        raise UserError(f"{folder} was not pushed: it has no {PUSH_FILE}.") from None
    except ValidationError as error:
        raise UserError(f"{path} is damaged: {error.errors()[0]['msg']}") from None


def is_fetched(folder: Path) -> bool:
    """Whether a pushed run's output is here."""
    return (folder / COMPARISON).exists()


def _folder_of(config: RunConfig, run_id: str) -> Path:
    folder = run_folder(config)
    return folder.with_name(f"{folder.name}-{run_id}")


def _arrived_version(kaggle: Kaggle, kernel: str, run_id: str) -> int | None:
    """The version of a kernel that has that run id; None if none turns up within some seconds."""
    for seconds in LOOKS:
        time.sleep(seconds)
        with suppress(UserError):  # a kernel that was never pushed before is refused as if it were another's
            source, version = kernel_source(kaggle, kernel)
            if f"'run_id': '{run_id}'" in source:
                return version
    return None


def _check_accepted(response: object) -> None:
    """The client reports a refused push as if it had worked."""
    if error := getattr(response, "error", None):
        remedy = next((remedy for word, remedy in REFUSALS.items() if word in error.lower()), "")
        raise RunError(f"Kaggle refused the kernel: {error.rstrip('.')}. {remedy}".rstrip())
    for kind in ("competition", "dataset", "kernel", "model"):
        if invalid := getattr(response, f"invalid_{kind}_sources", None):
            raise RunError(
                f"the kernel was pushed, but Kaggle did not attach the {kind} {', '.join(invalid)}, so it cannot "
                f"work. Accept the rules at https://www.kaggle.com/c/{COMPETITION}/rules, check {kind}_sources in "
                "kernel-metadata.json, and push again."
            )


def _show_log(kaggle: Kaggle, kernel: str, shown: int) -> int:
    """Print a kernel's log from event `shown` on, as long as it flows; returns how many events are shown then."""
    count = 0
    with suppress(UserError, RunError):  # the status tells how the kernel does; the stream is tried again
        for count, text in enumerate(kaggle.log_events(kernel), 1):  # each stream begins at the log's beginning
            if count > shown:
                print(text, end="" if text.endswith("\n") else "\n", flush=True)
    return max(shown, count)


def _raise_failure(kaggle: Kaggle, pushed: Push, status: str, reason: str) -> None:
    """Raise a RunError that ends with the end of the kernel's log."""
    try:
        tail = "".join(_log_lines(kernel_output(kaggle, pushed.kernel)[1])[-LOG_TAIL:])
    except (UserError, RunError) as error:
        tail = f"(the log could not be read: {error})"
    what = "failed" if status == "ERROR" else "was cancelled: by hand, or at Kaggle's time limit"
    raise RunError(
        f"the kernel {pushed.kernel} {what}{f' ({reason})' if reason else ''}. What it wrote until then is at "
        f"{pushed.url}. The end of its log:\n{tail}"
    )


def _log_lines(log: str) -> list[str]:
    """The lines of a stored log, which is a JSON list of events, or text."""
    with suppress(ValueError, TypeError, AttributeError):
        log = "".join(str(event.get("data", "")) for event in json.loads(log))
    return log.splitlines(keepends=True)


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
        raise RunError(f"{theirs} has a damaged {RECEIPT}. Try again: {_FETCH}")
    return receipt


def _check_whole(download: Path, listed: dict[str, str], files: list[OutputFile]) -> None:
    """Raise a RunError unless every file of the receipt is there with its hash."""
    missing = sorted(set(listed) - {file.name for file in files})
    damaged = [name for name, sha256 in listed.items() if name not in missing and file_hash(download / name) != sha256]
    if missing or damaged:
        raise RunError(
            f"the output did not arrive whole ({len(missing)} files missing, {len(damaged)} damaged, such as "
            f"{(missing + damaged)[0]}). Nothing was replaced. Try again: {_FETCH}"
        )
