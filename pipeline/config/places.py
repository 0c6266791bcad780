"""Where a run reads and writes; the only module that knows about Kaggle's folders."""

import os
import tempfile
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.schema import RunConfig, digest

COMPETITION = "digit-recognizer"
KAGGLE_INPUT = Path("/kaggle/input")
CHOOSE_ANOTHER = "Choose another with --out."  # for the commands that have it


def on_kaggle() -> bool:
    """Whether this process runs inside a Kaggle kernel."""
    return "KAGGLE_KERNEL_RUN_TYPE" in os.environ


def data_candidates() -> list[Path]:
    """Folders that may hold the competition's data, best first."""
    kaggle = [KAGGLE_INPUT / "competitions" / COMPETITION, KAGGLE_INPUT / COMPETITION]
    return [*kaggle, data_folder()]


def data_folder() -> Path:
    """Where the competition's data is put on your own machine."""
    return Path("data")


def runs_folder() -> Path:
    """Where runs are kept that do not say otherwise."""
    return Path("runs")


def default_run_folder(config: RunConfig) -> Path:
    """The folder of a run: `config.out`, or one named after its recipe, so that the same command finds it again."""
    return expanded(config.out) if config.out else runs_folder() / f"{config.name}-{digest(config.recipe)[:8]}"


def submissions_folder() -> Path:
    """Where submissions of all runs are kept."""
    return Path("submissions")


def expanded(path: str | Path) -> Path:
    """A path with the home folder for ~, which the shell leaves to us in `--out=~/x`."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's raises where there is no home


def make_folder(folder: Path, remedy: str = "Give the command in a folder that you can write to.") -> Path:
    """The folder, made with its parents where missing.

    Args:
        folder: What to make.
        remedy: What to do if it cannot be made; a command that lets the user choose the folder says how.

    Raises:
        UserError: it cannot be made or written to.
    """
    folder = expanded(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to the folder {folder}: {error.strerror}. {remedy}") from None
    return folder
