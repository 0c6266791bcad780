"""Files and folders that a reader never sees half written."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_replace(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`, for a file or a folder, that takes the target's place if the block succeeds.

    A reader never sees half of it; when the block raises, the target stays as it was.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    _remove(temporary)
    try:
        yield temporary
        if target.is_dir():
            _remove(target)
        temporary.replace(target)
    finally:
        _remove(temporary)


def atomic_write_json(path: Path, content: Any) -> None:
    """Write JSON temporary and rename it."""
    with atomic_replace(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
