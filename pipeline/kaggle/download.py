"""Fetch the competition's data into data/: resumed where it broke off, read before it counts, skipped when whole."""

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import COMPETITION, data_folder, make_folder
from pipeline.data.archives import LARGEST_FILE, named_damage, open_file
from pipeline.data.digits import load
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.connection import CHUNK
from pipeline.records.atomic import atomic_write_json, file_sha256, remove_leftovers

FILES = ("train.csv", "test.csv", "sample_submission.csv")
RECORD = "download.json"
PARTIAL = ".download"  # keeps what has arrived, for the next try


def download_data() -> None:
    """Make data/ hold the competition's three files, as they are at Kaggle; prints what it does.

    Raises:
        UserError: no credentials, or the competition's rules are not accepted.
        RunError: Kaggle failed, the disk is full, or what came is not the competition's data.
    """
    folder = make_folder(data_folder())
    if _is_whole(folder):
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)  # of a command that was killed at its end
        remove_leftovers(folder)
        print(f"{folder}/ has the data already: {', '.join(FILES)}", flush=True)
        return
    partial, kaggle = make_folder(folder / PARTIAL), Kaggle()
    try:
        kaggle.download_competition(partial)
        unpacked = _unpack(partial)
        for name in FILES:
            (unpacked / name).replace(folder / name)
        atomic_write_json(folder / RECORD, {name: file_sha256(folder / name) for name in FILES})
        shutil.rmtree(partial)
        remove_leftovers(folder)
    except OSError as error:
        raise RunError(
            f"{error.filename or partial}: cannot be written ({error.strerror or error}). What has arrived is kept in "
            f"{partial}. Then rerun the same command: it resumes from there."
        ) from None
    print(f"{folder}/ has {', '.join(FILES)}", flush=True)


def _is_whole(folder: Path) -> bool:
    """Whether the files are what was downloaded."""
    try:
        hashes = json.loads((folder / RECORD).read_bytes())
        return all(file_sha256(folder / name) == hashes[name] for name in FILES)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _unpack(partial: Path) -> Path:
    """Take the three files out of the zip that arrived, by name, and read them once; returns their folder.

    Raises:
        RunError: they are not there, damaged, or not the competition's data; the zip is removed.
    """
    archive, folder = partial / f"{COMPETITION}.zip", make_folder(partial / "unpacked")
    try:
        for name in FILES:
            _unpack_file(archive, name, folder / name)
        load(str(folder))
    except UserError as error:
        archive.unlink(missing_ok=True)  # or the next try would find it there, complete
        raise RunError(f"what arrived cannot be used: {error} Rerun the same command.") from None
    return folder


def _unpack_file(archive: Path, name: str, target: Path) -> None:
    with ExitStack() as opened:
        with named_damage(str(archive)):
            stream = opened.enter_context(open_file(archive, name))
        if stream is None:
            raise UserError(f"{archive} has no {name}: it is not the competition's data.")
        copy, size = opened.enter_context(target.open("wb")), 0
        while True:
            with named_damage(str(archive)):
                block = stream.read(CHUNK)
            if not block:
                return
            if (size := size + copy.write(block)) > LARGEST_FILE:
                raise UserError(f"{archive}: {name} unpacks to more than {LARGEST_FILE:,} bytes.")
