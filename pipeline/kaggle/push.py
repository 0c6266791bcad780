"""Push a run to Kaggle as a kernel, once, and remember what was pushed.

The record is written before the push: a kernel that runs at Kaggle is never unknown here.
"""

import re
import secrets
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import COMPETITION
from pipeline.config.schema import RunConfig
from pipeline.kaggle.bundle import check_config, write_bundle
from pipeline.kaggle.calls import kernel_source
from pipeline.kaggle.client import Kaggle, SavedKernel
from pipeline.kaggle.metadata import CODE_FILE, METADATA, PLACEHOLDER, owned, read_metadata
from pipeline.kaggle.pushes import FETCH, Push, fetch_command, new_folder, now, write_push
from pipeline.kaggle.refusals import NoAnswerError
from pipeline.kaggle.waiting import arrived, going_on
from pipeline.records.run_folder import RunFolder

KERNEL_AT_END = re.compile(r"([\w-]+/[\w-]+)/?$", re.ASCII)  # of an address, or all of a name

# What Kaggle's refusals speak of -> what to do.
REFUSALS = {
    "session": "Wait for a running kernel to end, or stop one: https://www.kaggle.com/code/active-sessions",
    "quota": "GPU hours are counted per week: https://www.kaggle.com/settings shows what is left and when more come.",
    "title": "Change title and id in kernel-metadata.json.",
    "slug": "Change title and id in kernel-metadata.json.",
}


def make_bundle(config: RunConfig) -> None:
    """Write build/kernel.py and its metadata, for the client's own push; prints the commands that lead on.

    Raises:
        UserError: something is wrong with the config or the metadata; nothing is written.
    """
    metadata, folder, note = read_metadata(), CODE_FILE.parent, ""
    check_config(config)
    try:
        metadata = metadata if metadata.has_owner else owned(metadata, Kaggle().user)
    except (UserError, RunError) as error:
        note = f"{folder / METADATA} still has {PLACEHOLDER} where your Kaggle user name belongs: {error}\n"
    write_bundle(folder, config, metadata)
    print(f"{CODE_FILE}: {config.name}, {CODE_FILE.stat().st_size:,} bytes\n{note}", end="")
    print(f"now:  kaggle kernels push -p {folder}\nthen: {FETCH} {metadata.id}")


def push(kaggle: Kaggle, config: RunConfig) -> tuple[Push, RunFolder]:
    """Bundle a config, push it, and print the kernel's address.

    Returns:
        What was pushed, and the folder that the run will have here.

    Raises:
        UserError: something is wrong with the config, the metadata or the account.
        RunError: Kaggle refused or failed.
    """
    metadata = owned(read_metadata(), kaggle.user)
    run_id = secrets.token_hex(4)
    with tempfile.TemporaryDirectory() as sent:  # of its own: two pushes at once do not share a bundle
        bundle_hash = write_bundle(Path(sent), config, metadata, run_id)
        pushed = Push(metadata.id, 0, bundle_hash, now(), arrived=False)
        folder = new_folder(config, run_id, pushed)
        pushed, not_attached = _send(kaggle, pushed, folder, Path(sent))
    version = f"version {pushed.version} of " if pushed.version else ""
    print(f"pushed {version}{pushed.kernel}: {pushed.url}", flush=True)
    try:
        write_push(pushed, folder)
    except (OSError, RunError) as error:  # it is recorded as sent, and can be followed
        raise RunError(f"{error} The kernel runs: {pushed.url}. To follow it: {fetch_command(folder)}") from None
    if not_attached:
        raise RunError(f"the kernel was pushed, but {not_attached}")
    return pushed, folder


def confirmed(kaggle: Kaggle, pushed: Push, folder: RunFolder) -> Push:
    """A push of which Kaggle has said that it arrived; looked up if the command that pushed it was cut off.

    Raises:
        UserError: Kaggle does not have it.
    """
    if pushed.arrived:
        return pushed
    version = _arrived_version(kaggle, pushed)
    if version is None:
        raise UserError(
            f"Kaggle does not have the push that {folder.push} records: it was cut off, or the kernel was pushed again "
            f"since. See {pushed.url}. If it is not there, push again, and remove that folder."
        )
    pushed = replace(pushed, version=version, arrived=True)
    write_push(pushed, folder)
    return pushed


def _send(kaggle: Kaggle, pushed: Push, folder: RunFolder, bundle: Path) -> tuple[Push, str]:
    """Push once; what Kaggle calls it wins over what we asked for. Also what Kaggle did not attach to it, in words.

    The record stays unless Kaggle surely has no such kernel: a second push would start a second session.
    """
    look_first = f"It may have arrived. Look before you push again: {fetch_command(folder)}"
    try:
        answer = kaggle.save_kernel(bundle)
    except NoAnswerError as error:
        print(f"{error}\nlooking whether it arrived all the same", flush=True)
        with going_on(look_first):
            version = _arrived_version(kaggle, pushed)
            if version is None:
                raise RunError(f"{error} Kaggle does not have this version yet.") from None
        return replace(pushed, version=version, arrived=True), ""
    except KeyboardInterrupt:
        print(f"\n{look_first}", flush=True)
        raise
    except UserError:
        shutil.rmtree(folder.path)
        raise
    except RunError as error:
        shutil.rmtree(folder.path)
        remedy = next((remedy for word, remedy in REFUSALS.items() if word in str(error).lower()), "")
        raise RunError(f"{error} {remedy}".rstrip()) from None
    named = KERNEL_AT_END.search(answer.address)
    kernel = named[1] if named else pushed.kernel
    return replace(pushed, kernel=kernel, version=answer.version, arrived=True), _not_attached(answer)


def _arrived_version(kaggle: Kaggle, pushed: Push) -> int | None:
    """The version of a kernel that is this push; None if none turns up within some seconds."""

    def look() -> int | None:
        with suppress(UserError):  # Kaggle refuses a kernel that was never pushed before as if it were another's
            source, version = kernel_source(kaggle, pushed.kernel)
            if pushed.mark in source:
                return version
        return None

    return arrived(look)


def _not_attached(answer: SavedKernel) -> str:
    """What of the metadata's sources Kaggle left out, and what to do; empty if nothing."""
    return " ".join(
        f"Kaggle did not attach the {kind} {', '.join(names)}, so it cannot work. Accept the rules at "
        f"https://www.kaggle.com/c/{COMPETITION}/rules, check {kind}_sources in kernel-metadata.json, and push again."
        for kind, names in answer.invalid_sources.items()
    )
