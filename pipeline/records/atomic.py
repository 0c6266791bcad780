"""Files and folders that a reader never sees half written."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError, UserError

LONGEST_PART = 150  # bytes of a name that its temporary name repeats; file systems allow 255 for all
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's share of it, the largest file allowed


@contextmanager
def atomic_replace(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`, for a file or a folder, that takes the target's place if the block succeeds.

    A reader never sees half of it; when the block raises, the target stays as it was.

    Raises:
        UserError: the target is a folder, and a file was to take its place.
        RunError: the disk is full; names the target and the space that is left.
    """
    name = os.fsdecode(os.fsencode(target.name)[:LONGEST_PART])
    temporary = target.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}.part")  # of this writer alone
    try:
        with full_disk_named(target):
            yield temporary
            _flush(temporary)
            _put_in_place(temporary, target)
    finally:
        _remove(temporary)


def atomic_write_json(path: Path, content: Any) -> None:
    """Write JSON to a temporary file and rename it."""
    with atomic_replace(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


@contextmanager
def full_disk_named(target: Path) -> Iterator[None]:
    """Raise a RunError if the block fails because the disk is full; it names `target` and the space left."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        if (cause := _no_room(error)) is None:
            raise
        there = next(path for path in target.absolute().parents if path.exists())
        raise RunError(
            f"there is no room to write {target} ({cause}); {shutil.disk_usage(there).free:,} bytes are free there. "
            "Nothing that was finished is lost. Make room, then rerun the same command."
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left anywhere in a folder; nobody may be writing there."""
    for path in list(folder.rglob(".*.[0-9]*.part")):
        _remove(path)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _no_room(error: BaseException | None) -> OSError | None:
    """The error that says that the disk is full, if it led to this one: zip writers hide it behind their own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return error
        error = error.__cause__ or error.__context__
    return None


def _flush(path: Path) -> None:
    """Bring the content to the disk, so that a power cut never leaves the name without it."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("r+b") as stream:
                os.fsync(stream.fileno())


def _put_in_place(temporary: Path, target: Path) -> None:
    if target.is_dir() and not temporary.is_dir():
        raise UserError(f"{target} is a folder, so no file can be written there. It was left as it is. Name a file.")
    if not (temporary.is_dir() and target.exists()):
        temporary.replace(target)
        return
    old = temporary.with_suffix(".old.part")  # a folder that is not empty cannot be replaced, nor a file by a folder
    target.replace(old)
    try:
        temporary.replace(target)
    except OSError:
        old.replace(target)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
