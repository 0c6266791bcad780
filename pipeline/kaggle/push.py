"""Push a run to Kaggle as a kernel, once, and remember what was pushed."""

import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import COMPETITION, default_run_folder, make_folder, runs_folder
from pipeline.config.schema import RunConfig
from pipeline.kaggle.bundle import write_bundle
from pipeline.kaggle.calls import kernel_source
from pipeline.kaggle.client import Kaggle, NoAnswerError
from pipeline.kaggle.metadata import fill_owner, read_metadata
from pipeline.records.atomic import atomic_write_json
from pipeline.records.run_folder import RunFolder

ARRIVAL_DELAYS = (1, 3, 9)  # seconds before each look for a push that may have arrived
FETCH = "python -m pipeline fetch"  # what follows a push

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


def push(kaggle: Kaggle, config: RunConfig) -> tuple[Push, RunFolder]:
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
    folder = RunFolder(make_folder(_folder_of(config, run_id)))
    atomic_write_json(folder.push, asdict(pushed))
    folder.write_config(replace(config, out=None))
    print(f"pushed version {version} of {pushed.kernel}: {url}", flush=True)
    return pushed, folder


def find_push(path: Path | None) -> tuple[Push, RunFolder]:
    """The push that a run's folder records, or the latest one of all runs; and that folder.

    Raises:
        UserError: there is none, or its record is damaged.
    """
    if path is None:
        pushes = [RunFolder(folder).push for folder in runs_folder().glob("*")]
        found = sorted((push for push in pushes if push.exists()), key=lambda push: push.stat().st_mtime)
        if not found:
            raise UserError(f"nothing was pushed from here: no run under {runs_folder()}/ was. Use the command push.")
        path = found[-1].parent
    folder = RunFolder(path)
    try:
        return TypeAdapter(Push).validate_json(folder.push.read_text()), folder
    except FileNotFoundError:
        raise UserError(f"{path} was not pushed: it has no {folder.push.name}.") from None
    except ValidationError as error:
        raise UserError(f"{folder.push} is damaged: {error.errors()[0]['msg']}") from None


def _folder_of(config: RunConfig, run_id: str) -> Path:
    folder = default_run_folder(config)
    return folder.with_name(f"{folder.name}-{run_id}")


def _arrived_version(kaggle: Kaggle, kernel: str, run_id: str) -> int | None:
    """The version of a kernel that has that run id; None if none turns up within some seconds."""
    for seconds in ARRIVAL_DELAYS:
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
