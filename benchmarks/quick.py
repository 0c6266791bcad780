"""What five minutes of two cores buy: the preset `quick` and its neighbours, accuracy against minutes."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from matplotlib.figure import Figure

from benchmarks.record import FOLDER, environment, save, show
from benchmarks.screening import Setting, member_folders, read_setting
from pipeline.config.errors import RunError
from pipeline.config.schema import Architecture
from pipeline.records.atomic import atomic_replace


@dataclass(frozen=True)
class Quick:
    """Run `quick` with other networks and epochs, each from command to submission, and with validation rows.

    Minutes are those of the whole command. Core minutes, its processor time, tell the same on a machine that is shared.
    """

    data: str = "auto"
    """As a config's field of this name."""
    architectures: tuple[Architecture, ...] = ("deotte",)
    """Networks to try."""
    epochs: tuple[int, ...] = (4, 7, 10)
    """Lengths of training to try."""
    beside: tuple[Path, ...] = ()
    """Folders of finished runs of two cores with validation rows, drawn beside them."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the record; the picture goes beside it. By default build/benchmarks/quick.json."""

    def run(self) -> None:
        """Time the preset as it is, which trains on all rows, then each neighbour on four fifths of them."""
        with tempfile.TemporaryDirectory() as folder:
            whole = timed(["--data", self.data, "--out", folder])
        print(f"quick: {whole['minutes']} minutes from command to submission, {whole['core minutes']} core minutes")
        rows = [self._row(architecture, epochs) for architecture in self.architectures for epochs in self.epochs]
        rows += [beside_row(run) for run in self.beside]
        show("accuracy against minutes", list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
        save("quick", self.out, {"environment": environment(), "quick": whole, "rows": rows})
        draw(rows, (self.out or FOLDER / "quick.json").with_suffix(".png"))

    def _row(self, architecture: str, epochs: int) -> dict[str, Any]:
        flags = ["--folds", "5", "--folds-used", "1", "--architecture", architecture, "--train.epochs", str(epochs)]
        with tempfile.TemporaryDirectory() as folder:
            times = timed(["--data", self.data, *flags, "--out", folder])
            return {"run": f"{architecture}, {epochs} epochs", **times, **accuracy_of(read_setting(Path(folder)))}


def timed(flags: Sequence[str]) -> dict[str, float]:
    """Minutes and core minutes of `python -m pipeline run quick` with more flags.

    Raises:
        RunError: it failed.
    """
    command = [sys.executable, "-m", "pipeline", "run", "quick", *flags]
    started, before = time.perf_counter(), _processor_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, used = time.perf_counter() - started, _processor_seconds() - before
    if done.returncode:
        raise RunError(f"{' '.join(command)} failed:\n{done.stderr or done.stdout}")
    return {"minutes": round(seconds / 60, 2), "core minutes": round(used / 60, 2)}


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def accuracy_of(setting: Setting) -> dict[str, Any]:
    """Of the vote and of single networks, on the validation rows."""
    count = len(setting.errors)
    return {
        "single": round(1 - float(setting.errors.mean()), 5),
        "vote": round(1 - float(setting.vote_errors.mean()), 5),
        "vote's errors": int(setting.vote_errors.sum()),
        "of": count,
    }


def beside_row(run: Path) -> dict[str, Any]:
    """The row of a finished run; its minutes are those of its epochs, two networks at a time."""
    seconds = sum(record["seconds"] for _, _, member in member_folders([run]) for record in member.history)
    setting = read_setting(run)
    return {
        "run": setting.name,
        "minutes": round(seconds / 120, 2),
        "core minutes": round(seconds / 60, 2),
        **accuracy_of(setting),
    }


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """The vote's accuracy against minutes."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        axes.plot(row["minutes"], row["vote"], "o", label=row["run"])
    axes.axvline(5, color="0.8", zorder=0)
    axes.set(xscale="log", xlabel="minutes of two cores", ylabel="accuracy of the vote on validation rows")
    axes.legend(fontsize="small")
    with atomic_replace(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
    print(f"written: {path}")
