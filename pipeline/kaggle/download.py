"""Fetch the competition's data into data/: resumed where it broke off, read before it counts, skipped when there."""

import shutil
from pathlib import Path

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import COMPETITION, data_folder, make_folder
from pipeline.data.digits import load
from pipeline.kaggle.client import Kaggle

ARCHIVE = f"{COMPETITION}.zip"
CSV_FILES = ("train.csv", "test.csv", "sample_submission.csv")  # would be read before the archive
PARTIAL = ".download"  # keeps what has arrived, for the next try


def download_data() -> None:
    """Make data/ hold the competition's data, as Kaggle's zip, which every command reads; prints what it does.

    Raises:
        UserError: no credentials, or the competition's rules are not accepted.
        RunError: Kaggle failed, the disk is full, or what came is not the competition's data.
    """
    folder = make_folder(data_folder())
    partial = folder / PARTIAL
    if _is_whole(folder):
        shutil.rmtree(partial, ignore_errors=True)  # of a command that was killed at its end
        print(f"{folder}/ has the data already", flush=True)
        return
    make_folder(partial)
    try:
        Kaggle().download_competition(partial)
        _check(partial / ARCHIVE)
        (partial / ARCHIVE).replace(folder / ARCHIVE)
        for name in CSV_FILES:
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(partial)
    except OSError as error:
        raise RunError(
            f"{error.filename or partial}: cannot be written ({error.strerror or error}). What has arrived is kept in "
            f"{partial}. Then rerun the same command: it resumes from there."
        ) from None
    print(f"{folder / ARCHIVE} has arrived, and is whole", flush=True)
    try:
        load(str(folder))
    except UserError as error:
        raise UserError(f"something else in {folder}/ is read in its place: {error} Move that away.") from None


def _is_whole(folder: Path) -> bool:
    """Whether a run could be trained on what is there."""
    try:
        load(str(folder))
    except UserError:
        return False
    return True


def _check(archive: Path) -> None:
    """Remove what arrived and raise a RunError if it is damaged, or not the competition's data."""
    try:
        load(str(archive))
    except UserError as error:
        archive.unlink(missing_ok=True)  # or the next try would find it there, complete
        raise RunError(f"what arrived cannot be used: {error} Rerun the same command.") from None
