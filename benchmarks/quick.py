"""What five minutes of two cores buy: the preset `quick` and its neighbours, accuracy and minutes."""

import json
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

from benchmarks.record import environment, save, show
from pipeline.config.errors import RunError
from pipeline.records.run_folder import RunFolder

# The preset's network, its length, a shorter and a longer one; and what the wide network does in a similar time.
NEIGHBOURS = {
    **{f"deotte, {epochs} epochs": ("--train.epochs", str(epochs)) for epochs in (4, 6, 8)},
    "residual, 2 epochs": ("--architecture", "residual", "--dropout", "1", "--train.epochs", "2"),
}
FOLD = ("--folds", "5", "--folds-used", "1")


@dataclass(frozen=True)
class Quick:
    """Run `quick` with other networks and epochs, each from command to submission, and with validation rows.

    Minutes are those of the whole command. Core minutes, its processor time, tell the same on a machine that is shared.
    """

    data: str = "auto"
    """As a config's field of this name."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the record. By default build/benchmarks/quick.json."""

    def run(self) -> None:
        """Time the preset as it is, which trains on all rows, then each neighbour on four fifths of them."""
        with tempfile.TemporaryDirectory() as folder:
            whole = timed(["--data", self.data, "--out", folder])
        print(
            f"quick: {whole['minutes']} minutes from command to submission, {whole['core minutes']} core minutes",
            flush=True,
        )
        record: dict[str, Any] = {"environment": environment(), "quick": whole, "rows": []}
        for name, flags in NEIGHBOURS.items():
            with tempfile.TemporaryDirectory() as folder:
                times = timed(["--data", self.data, *FOLD, *flags, "--out", folder])
                record["rows"].append({"run": name, **times, **accuracy_of(Path(folder))})
            save("quick", self.out, record)
        lines = [[str(cell) for cell in row.values()] for row in record["rows"]]
        show("accuracy against minutes", list(record["rows"][0]), lines)


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


def accuracy_of(folder: Path) -> dict[str, Any]:
    """Of the vote and of single networks, on the validation rows of a finished run."""
    comparison = json.loads(RunFolder(folder).comparison.read_text())
    vote = comparison["ensembles"][-1]["validation"]
    single = [score["errors"] / score["images"] for arm in comparison["arms"] for score in arm["validation"]]
    return {
        "single": round(1 - sum(single) / len(single), 5),
        "vote": round(1 - vote["errors"] / vote["images"], 5),
        "vote's errors": vote["errors"],
        "of": vote["images"],
    }
