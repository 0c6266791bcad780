"""The cluster: what Ray costs against the worker processes of this machine, and how a study would scale."""

import heapq
import statistics
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.flags import Flags
from benchmarks.record import environment, save, show
from pipeline.config.schema import MemberSpec, Recipe, RunConfig, TrainConfig, member_specs
from pipeline.data.digits import Digits, load
from pipeline.records.run_folder import RunFolder
from pipeline.training.cluster import Cluster
from pipeline.training.engine import Engine
from pipeline.training.limits import Limits
from pipeline.training.messages import Progress
from pipeline.training.workers import Workers

RECORDED = Path("docs/study/30-epochs/metrics.csv")


@dataclass(frozen=True)
class ClusterCost(Flags):
    """Both engines train the same members in turns; then the queue of a large study is simulated."""

    rounds: int = 2
    """Runs of each engine."""
    seeds: int = 2
    """Members of each arm."""
    epochs: int = 6
    """Epochs of a member."""
    members: int = 250
    """Members of the simulated study, with the recorded times of docs/study/30-epochs."""
    nodes: tuple[int, ...] = (1, 8, 64)
    """Sizes of the simulated cluster."""
    cores: int = 2
    """Cores of a simulated node; the recorded times are those of a machine of two."""

    def run(self) -> None:
        """Measure, simulate, and write the record."""
        config = RunConfig(
            name="benchmark", seeds=self.seeds,
            recipe=Recipe("deotte", train=TrainConfig(epochs=self.epochs, schedule="cosine")),
        )  # fmt: skip
        specs, digits = member_specs(config), load(self.data)
        runs: dict[str, list[Times]] = {"local": [], "ray": []}
        for number in range(self.rounds):
            for name in sorted(runs, reverse=number % 2 == 1):
                runs[name].append(time_engine(name, specs, digits))
        starts = {name: statistics.median(t.start for t in times) for name, times in runs.items()}
        ratios = [ray.training / local.training for local, ray in zip(runs["local"], runs["ray"], strict=True)]
        span = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"from the first step to the last member, ray / local: {statistics.median(ratios):.3f} ({span})")
        print(f"until the first step: ray {starts['ray']:.1f} s, local {starts['local']:.1f} s")
        seconds = recorded_seconds(RECORDED)
        estimates = [simulate(seconds, self.members, count, self.cores) for count in self.nodes]
        show_estimates(self.members, self.cores, estimates)
        content = {name: [vars(t) for t in times] for name, times in runs.items()}
        save("cluster", self.out, {
            "environment": environment(("ray",)), "seconds": content, "ratios": ratios,
            "study": [vars(estimate) for estimate in estimates],
        })  # fmt: skip


@dataclass(frozen=True)
class Times:
    """Seconds of one run of an engine."""

    start: float
    """Until the first steps are reported."""
    training: float
    """From then until all members are committed."""


class Stopwatch:
    """Observes a training and notes when it began."""

    def __init__(self) -> None:
        self.first: float | None = None

    def begin(self, finished: Sequence[MemberSpec], total: int) -> None:
        """Nothing to note."""

    def watch(self, _spec: MemberSpec, _progress: Progress) -> None:
        """Note the time of the first report."""
        self.first = self.first or time.perf_counter()

    def finished(self, spec: MemberSpec) -> None:
        """Nothing to note."""

    def failed(self, spec: MemberSpec, reason: str) -> None:
        """Show it."""
        print(f"{spec.id} failed: {reason}")

    def warn(self, text: str) -> None:
        """Show it."""
        print(text)


def time_engine(name: str, specs: Sequence[MemberSpec], digits: Digits) -> Times:
    """Have an engine, local or ray, train members into a folder of its own."""
    watch = Stopwatch()
    with TemporaryDirectory() as path:
        folder, started = RunFolder(Path(path)), time.perf_counter()
        engine: AbstractContextManager[Engine] = Cluster(folder, None) if name == "ray" else Workers(folder, specs)
        with engine as trainer:
            trainer.run(specs, digits, watch, Limits())
            end = time.perf_counter()
    first = watch.first or end
    return Times(first - started, end - first)


@dataclass(frozen=True)
class Estimate:
    """What a study would take on a cluster."""

    nodes: int
    hours: float
    speed_up: float
    """Against one node."""
    node_hours: float
    """What is paid for, if all nodes are kept to the end."""
    busy: float
    """Share of the cores' time in which they train."""


def recorded_seconds(metrics: Path) -> list[float]:
    """Seconds of training of each member in a run's metrics.csv, in its order."""
    epochs = pd.read_csv(metrics).groupby(["arm", "seed", "fold"], sort=False)["seconds"]
    return epochs.sum().tolist()


def makespan(seconds: Sequence[float], slots: int) -> float:
    """Seconds until the last member of a queue is finished.

    Args:
        seconds: Those of each member, in the order of the queue.
        slots: Members that are trained at the same time; whichever is free takes the next.
    """
    free = [0.0] * slots
    for member in seconds:
        heapq.heapreplace(free, free[0] + member)
    return max(free)


def simulate(recorded: Sequence[float], members: int, nodes: int, cores: int) -> Estimate:
    """Estimate a study whose members take the recorded seconds in turn, a core each."""
    seconds = [recorded[i % len(recorded)] for i in range(members)]
    total, alone = (makespan(seconds, count * cores) for count in (nodes, 1))
    return Estimate(
        nodes=nodes,
        hours=round(total / 3600, 2),
        speed_up=round(alone / total, 1),
        node_hours=round(nodes * total / 3600, 1),
        busy=round(sum(seconds) / (nodes * cores * total), 3),
    )


def show_estimates(members: int, cores: int, estimates: Sequence[Estimate]) -> None:
    """Print the simulation as a table."""
    show(
        f"a study of {members} members on nodes of {cores} cores, simulated",
        ["nodes", "hours", "speed-up", "node hours", "cores busy"],
        [
            [f"{e.nodes}", f"{e.hours:.1f}", f"{e.speed_up:.1f}", f"{e.node_hours:.0f}", f"{e.busy:.0%}"]
            for e in estimates
        ],
    )
