"""What a GPU makes of the project: measured where there is one, compiled and estimated for a T4 where there is none."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.contest import Competitor, hold
from benchmarks.flags import Flags
from benchmarks.ours import ENVIRONMENT, competitor, specs_of
from benchmarks.record import FOLDER, environment, load, rows_of, save, show, show_timings
from benchmarks.t4 import LABELLED, PLUGIN_MODULE
from pipeline.config.errors import RunError
from pipeline.config.presets import preset
from pipeline.config.schema import Architecture, RunConfig, TrainConfig, member_specs

GPUS = 2  # of a Kaggle kernel
STARTS = Path("docs/benchmarks/start.json")
PACKAGES = "jax jax-cuda12-plugin jax-cuda12-pjrt nvidia-cuda-nvcc-cu12"
ON_JAX_ALONE = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
# What one process compiles under JAX, those after it load.
SHARED = {"JAX_COMPILATION_CACHE_DIR": str(FOLDER / "compiled"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


@dataclass(frozen=True)
class Gpu(Flags):
    """A whole run, images per second, Swish over ReLU, workers per GPU; and the step compiled for a T4.

    What is worth most comes first, and each part is in the record as soon as it is known.
    """

    data: str = "auto"
    """Folder or zip of the competition's files; auto: where Kaggle mounts them, else data/; sample: embedded digits."""
    architectures: tuple[Architecture, ...] = ("ghouzam", "deotte", "residual")
    """Networks."""
    arms: tuple[str, ...] = ("relu", "swish")
    """Activations; all ratios are to the first."""
    batches: tuple[int, ...] = (64, 256)
    """Images per step."""
    preset: str = "leaderboard"
    """The run that is timed from start to submission, and estimated."""

    def run(self) -> None:
        """Do what this machine allows, and say what it does not."""
        here = environment()
        content: dict[str, Any] = {"environment": here}
        parts: list[Iterator[dict[str, Any]]] = []
        if here["device kind"] == "gpu":
            parts += [self._whole_run(), self._contests(int(here["devices"]))]
        else:
            print(f"no GPU here, but {here['device']}: nothing is measured")
        if find_spec(PLUGIN_MODULE):
            parts.append(self._compiled())
        else:
            print(f"not compiled for a T4: that needs python -m pip install {PACKAGES}")
        save("gpu", self.out, content)
        for part in parts:
            for found in part:
                content |= found
                save("gpu", self.out, content)

    def _whole_run(self) -> Iterator[dict[str, Any]]:
        """Seconds of a run from start to submission, and its folder, which is kept."""
        folder = FOLDER / time.strftime(f"{self.preset}-%Y%m%d-%H%M%S")
        command = ["run", self.preset, "--data", self.data, "--device", "gpu", "--out", str(folder)]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "pipeline", *command], check=False)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise RunError(f"python -m pipeline {' '.join(command)} failed; see above.")
        print(f"{self.preset} on {self.data}: {seconds:.0f} s from start to submission")
        run = {"preset": self.preset, "data": self.data, "folder": str(folder), "seconds": round(seconds, 1)}
        yield {"whole run": run}

    def _contests(self, gpus: int) -> Iterator[dict[str, Any]]:
        """The rows so far, after the contest of each batch size, number of workers per GPU and network."""
        rows: list[dict[str, Any]] = []
        for batch, workers, architecture in product(self.batches, (1, 2), self.architectures):
            train = TrainConfig(batch_size=batch)
            competitors = [
                competitor(arm, specs_of(architecture, (arm,), train, workers * gpus), self.data) for arm in self.arms
            ]
            sharing = [replace(c, environment=c.environment | SHARED) for c in competitors]
            settings = {"architecture": architecture, "batch": batch, "workers_per_gpu": workers}
            contest = rows_of(hold(sharing, self.rounds), **settings)
            show_timings(f"{architecture}, batch {batch}, {workers} per GPU", contest)
            rows += contest
            yield {"rows": rows}

    def _compiled(self) -> Iterator[dict[str, Any]]:
        """The step of the preset's recipe with each network and arm, as XLA compiles it for a T4."""
        config, rows = preset(self.preset), []
        for architecture in dict.fromkeys([config.recipe.architecture, *self.architectures]):
            for arm in self.arms:
                run = replace(config, recipe=replace(config.recipe, architecture=architecture), arms=(arm,))
                (spec, *_) = member_specs(run)
                probe = Competitor("T4", "benchmarks.t4:compile_step", (spec,), 1, 1, ENVIRONMENT | ON_JAX_ALONE)
                compiled = hold([probe], rounds=1)[0].last_reports[0]
                rows.append(
                    {"architecture": architecture, "arm": arm, **compiled, **estimated_minutes(config, compiled)}
                )
                yield {"compiled for a T4": rows}
        show_compiled(self.preset, config.recipe.train.batch_size, rows)


def estimated_minutes(config: RunConfig, compiled: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Minutes that two T4s take for all members of a config on the competition's data, at best and at worst.

    Two processes share a GPU. At best the device computes all the time, as fast as estimated. At worst it is half as
    fast, and waits for the host in every epoch. Before the first step a process loads TensorFlow, and compiles the
    steps of each arm, on a core as fast as this machine's or half as fast.

    Args:
        config: The run.
        compiled: A step's `Compiled`.
    """
    recipe, members = config.recipe, len(member_specs(config))
    rows = LABELLED - (LABELLED // recipe.folds if recipe.folds else 0)
    epochs = recipe.train.epochs * members / GPUS
    device = rows // recipe.train.batch_size * compiled["microseconds"] / 1e6
    start = statistics.median(load(STARTS, "first_steps_seconds")) + len(config.arms) * compiled["compile_seconds"]
    training = (epochs * device, epochs * (2 * device + compiled["epoch_seconds"]))
    whole = (training[0] + start, training[1] + 2 * start)
    return {
        "training_minutes": tuple(round(seconds / 60, 1) for seconds in training),
        "minutes": tuple(round(seconds / 60, 1) for seconds in whole),
    }


def show_compiled(name: str, batch: int, rows: list[dict[str, Any]]) -> None:
    """Print what was compiled for a T4."""
    show(
        f"the step of {name}, batch {batch}, compiled for a T4; minutes: on two T4s, estimated",
        ["network", "arm", "launches", "forward", "by input", "by filter", "MB moved", "µs", "minutes"],
        [
            [
                r["architecture"],
                r["arm"],
                str(r["launches"]),
                *(str(r["convolutions"][kind]) for kind in ("forward", "backward_input", "backward_filter")),
                f"{r['megabytes']:.0f}",
                f"{r['microseconds']:.0f}",
                "{:.0f} to {:.0f}".format(*r["minutes"]),
            ]
            for r in rows
        ],
    )
