"""A run's folder: one recipe's, on one data set, and one process's at a time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.config.errors import UserError
from pipeline.config.places import make_folder
from pipeline.config.schema import NOT_IN_RECIPE, RunConfig, from_json, recipe, to_json
from pipeline.data.digits import Digits
from pipeline.records.atomic import atomic_replace, atomic_write_json

LOCK, CONFIG_FILE, DATA_FILE = ".lock", "config.json", "data.json"


@contextmanager
def opened(folder: Path, config: RunConfig) -> Iterator[Path]:
    """The run's folder, made, checked not to belong to another recipe, and locked within the block.

    Raises:
        UserError: it cannot be written, another run is at work in it, or it holds something else.
    """
    known = any((folder / mark).exists() for mark in (LOCK, CONFIG_FILE))
    if folder.is_dir() and any(folder.iterdir()) and not known:
        raise UserError(f"the folder {folder} is not empty and holds no run. Choose another with --out.")
    make_folder(folder)
    try:
        with FileLock(folder / LOCK, timeout=0):
            _check_config(folder / CONFIG_FILE, config)
            yield folder
    except Timeout:
        raise UserError(f"another run is at work in {folder}. Let it finish, or choose another --out.") from None


def _check_config(path: Path, config: RunConfig) -> None:
    """Check that the config there, if any, trains members in the same way; it may have fewer of them, or more."""
    if path.exists():
        theirs = from_json(path.read_text(), str(path))
        if recipe(theirs) != recipe(config):
            ours_flat, theirs_flat = dict(_flat(asdict(config))), dict(_flat(asdict(theirs)))
            differ = [
                f"  - {key}: {theirs_flat[key]!r} there, {ours_flat[key]!r} now"
                for key in ours_flat
                if ours_flat[key] != theirs_flat[key] and key not in NOT_IN_RECIPE
            ]
            raise UserError(
                f"{path.parent} holds a run with another config:\n"
                + "\n".join(differ)
                + "\nChoose another folder with --out, or give it the same config."
            )


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def claim(folder: Path, config: RunConfig, digits: Digits) -> None:
    """Write down the config and the data of a fresh run, or check that the data is the same as before.

    Raises:
        UserError: the folder's run used other data, or its record of it is damaged.
    """
    path = folder / DATA_FILE
    ours = {"sha256": digits.digest(), "source": digits.source}
    if path.exists():
        try:
            theirs = json.loads(path.read_text())
            _ = theirs["sha256"], theirs["source"]
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{path} is damaged, so it cannot be told which data the run there used. Choose another --out, or, if "
                "you are sure that the data is the same, delete that file: members of other data are never reused."
            ) from None
        if theirs["sha256"] != ours["sha256"]:
            raise UserError(
                f"{folder} holds a run on other data: {theirs['source']} there, {digits.source} now, and their "
                "contents differ. Choose another folder with --out, or name the same data with --data."
            )
    else:
        atomic_write_json(path, ours)
    with atomic_replace(folder / CONFIG_FILE) as temporary:
        temporary.write_text(to_json(config))
