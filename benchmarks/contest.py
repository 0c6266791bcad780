"""A contest: competitors train side by side, each in processes of its own, but never two at a time.

Seconds on a shared machine drift by more than the differences of interest, so that only what ran within the same
seconds can be compared. Every competitor trains one epoch unmeasured, which pays for loading and compiling; then, round
by round, each in turn trains one epoch while the others wait. A competitor's time is its median over the rounds; its
ratio to another the median of the rounds' ratios.
"""

import itertools
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from pipeline.config.errors import RunError
from pipeline.config.text import last_lines

LOG_TAIL = 15  # lines of a dead process's log that are shown

Pause = Callable[[Any], None]  # called with a report after each epoch; returns when the next one may begin


@dataclass(frozen=True)
class Competitor:
    """One way of training."""

    name: str
    train: str
    """module:function, called in each process as function(pause, index, *settings), index counting the processes; it
    trains until it is stopped. By name, so that only its own processes load what it needs."""
    settings: tuple[Any, ...]
    images: int
    """Training images of an epoch of one process."""
    processes: int = 1
    """How many train at the same time, each for itself."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables of its processes."""


@dataclass(frozen=True)
class Timing:
    """What a contest found out about one competitor."""

    name: str
    images: int
    """Of an epoch, over all its processes."""
    seconds: list[float]
    """One epoch each."""
    last_reports: list[Any]
    """What each of its processes reported with the last epoch."""

    @property
    def microseconds_per_image(self) -> float:
        """Median over the rounds."""
        return statistics.median(self.seconds) / self.images * 1e6

    def ratios_to(self, other: "Timing") -> list[float]:
        """Time per image in multiples of another competitor's, round by round."""
        scale = other.images / self.images
        return [mine / theirs * scale for mine, theirs in zip(self.seconds, other.seconds, strict=True)]


def hold(competitors: Sequence[Competitor], rounds: int) -> list[Timing]:
    """Hold a contest.

    Args:
        competitors: Who takes part, in the order of their turns.
        rounds: Measured epochs of each.

    Raises:
        RunError: a competitor's process ended before the contest did.
    """
    with TemporaryDirectory() as logs, _started(competitors, Path(logs)) as groups:
        for group in groups:
            _reports(group)
        seconds: list[list[float]] = [[] for _ in competitors]
        reports: list[list[Any]] = [[] for _ in competitors]
        for number in range(1, rounds + 1):
            for i, group in enumerate(groups):
                started = time.perf_counter()
                for process in group:
                    process.connection.send("go")
                reports[i] = _reports(group)
                seconds[i].append(time.perf_counter() - started)
            times = ", ".join(f"{c.name} {s[-1]:.2f} s" for c, s in zip(competitors, seconds, strict=True))
            print(f"round {number}/{rounds}: {times}", flush=True)
    return [
        Timing(c.name, c.images * c.processes, s, report)
        for c, s, report in zip(competitors, seconds, reports, strict=True)
    ]


@dataclass(frozen=True)
class _Process:
    process: BaseProcess
    connection: Connection
    log: Path


def _reports(group: Sequence[_Process]) -> list[Any]:
    """What each process of a competitor says at the end of its epoch."""
    reports = []
    for process in group:
        try:
            reports.append(process.connection.recv())
        except EOFError:
            tail = last_lines(process.log.read_text(errors="replace"), LOG_TAIL)
            raise RunError(f"a process of {process.process.name!r} ended before the contest did:\n{tail}") from None
    return reports


@contextmanager
def _started(competitors: Sequence[Competitor], logs: Path) -> Iterator[list[list[_Process]]]:
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    groups: list[list[_Process]] = []
    try:
        for number, competitor in enumerate(competitors):
            groups.append([])
            for index in range(competitor.processes):
                ours, theirs = context.Pipe()
                log = logs / f"{number}-{index}.log"
                process = context.Process(
                    target=_work, args=(theirs, competitor, index, log), name=competitor.name, daemon=True
                )
                with patch.dict(os.environ, competitor.environment):
                    process.start()
                theirs.close()
                groups[-1].append(_Process(process, ours, log))
        yield groups
    finally:
        for started in itertools.chain(*groups):
            started.process.kill()
            started.process.join()


def _work(connection: Connection, competitor: Competitor, index: int, log: Path) -> None:
    with log.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)

    def pause(report: Any) -> None:
        connection.send(report)
        connection.recv()

    resolve_name(competitor.train)(pause, index, *competitor.settings)
