"""What a GPU makes of the project: measured where there is one, compiled and estimated for a T4 where there is none."""

import importlib.util
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contest import Competitor, hold
from benchmarks.flags import Flags
from benchmarks.ours import ENVIRONMENT, competitor, specs_of
from benchmarks.record import environment, rows_of, save, show, show_timings
from benchmarks.t4 import PLUGIN_MODULE
from pipeline.config.errors import RunError
from pipeline.config.presets import preset
from pipeline.config.schema import Architecture, MemberSpec, RunConfig, TrainConfig, member_specs

DESCRIBE = (
    "import json; from dataclasses import asdict; from pipeline.device.accelerator import found_device; "
    "print(json.dumps(asdict(found_device())))"
)
LABELLED = 42_000  # images of the competition
GPUS = 2  # of a Kaggle kernel
PACKAGES = "jax jax-cuda12-plugin jax-cuda12-pjrt nvidia-cuda-nvcc-cu12"
ON_JAX_ALONE = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}


@dataclass(frozen=True)
class Gpu(Flags):
    """Images per second, Swish over ReLU, workers per GPU, and a whole run; and the step compiled for a T4."""

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
        device = _described()
        content: dict[str, Any] = {"environment": environment(), "device": device}
        if device["kind"] == "gpu":
            content |= {"rows": self._measured(device["count"]), "whole run": self._whole_run()}
        else:
            print(f"no GPU here, but {device['name']}: nothing is measured")
        if importlib.util.find_spec(PLUGIN_MODULE):
            content["compiled for a T4"] = self._compiled()
        else:
            print(f"not compiled for a T4: that needs python -m pip install {PACKAGES}")
        save("gpu", self.out, content)

    def _measured(self, gpus: int) -> list[dict[str, Any]]:
        """One contest per network, batch size and number of workers per GPU."""
        rows = []
        for architecture in self.architectures:
            for batch in self.batches:
                for workers in (1, 2):
                    processes, train = workers * gpus, TrainConfig(batch_size=batch)
                    competitors = [
                        competitor(arm, specs_of(architecture, (arm,), train, processes), self.data)
                        for arm in self.arms
                    ]
                    settings = {"architecture": architecture, "batch": batch, "workers_per_gpu": workers}
                    contest = rows_of(hold(competitors, self.rounds), **settings)
                    show_timings(f"{architecture}, batch {batch}, {workers} per GPU", contest)
                    rows += contest
        return rows

    def _whole_run(self) -> dict[str, Any]:
        """Seconds of a run from start to submission."""
        with TemporaryDirectory() as folder:
            command = ["run", self.preset, "--data", self.data, "--device", "gpu", "--out", str(Path(folder) / "run")]
            started = time.perf_counter()
            done = subprocess.run([sys.executable, "-m", "pipeline", *command], check=False)
            seconds = time.perf_counter() - started
        if done.returncode:
            raise RunError(f"python -m pipeline {' '.join(command)} failed; see above.")
        print(f"{self.preset} on {self.data}: {seconds:.0f} s from start to submission")
        return {"preset": self.preset, "data": self.data, "seconds": round(seconds, 1)}

    def _compiled(self) -> list[dict[str, Any]]:
        """The step of the preset's recipe with each network and arm, as XLA compiles it for a T4."""
        config, rows = preset(self.preset), []
        for architecture in dict.fromkeys([config.recipe.architecture, *self.architectures]):
            for arm in self.arms:
                recipe = replace(config.recipe, architecture=architecture)
                (spec, *_) = member_specs(replace(config, recipe=recipe, arms=(arm,)))
                probe = Competitor("T4", "benchmarks.t4:compile_step", (spec,), 1, 1, ENVIRONMENT | ON_JAX_ALONE)
                compiled = hold([probe], rounds=1)[0].last_reports[0]
                minutes = estimated_minutes(config, spec, compiled["microseconds"])
                rows.append({"architecture": architecture, "arm": arm, **compiled, "minutes": round(minutes, 1)})
        show_compiled(self.preset, config.recipe.train.batch_size, rows)
        return rows


def estimated_minutes(config: RunConfig, spec: MemberSpec, microseconds: float) -> float:
    """Minutes in which two T4s train all members of a config on the competition's data, if each step takes so long."""
    rows = LABELLED - (LABELLED // spec.recipe.folds if spec.recipe.folds else 0)
    steps = rows // config.recipe.train.batch_size * config.recipe.train.epochs * len(member_specs(config))
    return steps * microseconds / 1e6 / 60 / GPUS


def show_compiled(name: str, batch: int, rows: list[dict[str, Any]]) -> None:
    """Print what was compiled for a T4."""
    show(
        f"the step of {name}, batch {batch}, compiled for a T4; minutes: all members on two T4s, estimated",
        ["network", "arm", "launches", "forward", "by input", "by filter", "MB moved", "µs", "minutes"],
        [
            [
                r["architecture"],
                r["arm"],
                str(r["launches"]),
                *(str(r["convolutions"][kind]) for kind in ("forward", "backward_input", "backward_filter")),
                f"{r['megabytes']:.0f}",
                f"{r['microseconds']:.0f}",
                f"{r['minutes']:.0f}",
            ]
            for r in rows
        ],
    )


def _described() -> dict[str, Any]:
    """The device here; asked in a process of its own, as that loads TensorFlow."""
    done = subprocess.run([sys.executable, "-c", DESCRIBE], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])
