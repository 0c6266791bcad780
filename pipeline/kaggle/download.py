"""Fetch the competition's data into data/: resumed where it broke off, unpacked atomically, skipped when whole."""

import json
import shutil
import zipfile
import zlib
from pathlib import Path

from pipeline.config.errors import RunError
from pipeline.config.places import COMPETITION, data_folder, make_folder
from pipeline.kaggle.calls import COMPETITION_REMEDIES
from pipeline.kaggle.client import Kaggle
from pipeline.records.atomic import atomic_replace, atomic_write_json, file_sha256

FILES = ("train.csv", "test.csv", "sample_submission.csv")
RECORD = "download.json"
PARTIAL = ".download"  # keeps what has arrived, for the next try


def download_data() -> None:
    """Make data/ hold the competition's three files, as they are at Kaggle; prints what it does.

    Raises:
        UserError: no credentials, or the competition's rules are not accepted.
        RunError: Kaggle failed, or what came is not the competition's data.
    """
    folder = make_folder(data_folder())
    if _is_whole(folder):
        print(f"{folder}/ has the data already: {', '.join(FILES)}", flush=True)
        return
    partial = make_folder(folder / PARTIAL)
    archive = partial / f"{COMPETITION}.zip"
    Kaggle().download_competition(COMPETITION, partial, COMPETITION_REMEDIES)
    try:
        _unpack(archive, folder)
    except RunError:
        archive.unlink()  # or the next try would find it there, complete
        raise
    atomic_write_json(folder / RECORD, {name: file_sha256(folder / name) for name in FILES})
    shutil.rmtree(partial)
    print(f"{folder}/ has {', '.join(FILES)}", flush=True)


def _is_whole(folder: Path) -> bool:
    """Whether the files are what was downloaded."""
    try:
        hashes = json.loads((folder / RECORD).read_text())
        return all(file_sha256(folder / name) == hashes[name] for name in FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _unpack(archive: Path, folder: Path) -> None:
    """Take the three files out of the zip, by name: nothing else in it can end up anywhere."""
    try:
        with zipfile.ZipFile(archive) as content:
            if missing := sorted(set(FILES) - set(content.namelist())):
                raise RunError(f"the download lacks {', '.join(missing)}: it is not the competition's data.")
            for name in FILES:
                with (
                    atomic_replace(folder / name) as temporary,
                    content.open(name) as source,
                    temporary.open("wb") as target,
                ):
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise RunError(f"the download arrived damaged ({error}). Give the same command again.") from None
