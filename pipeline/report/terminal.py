"""What a run shows on a terminal, or in a log."""

import math
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from pipeline.config.schema import MemberSpec, RunConfig
from pipeline.data.archives import GET_THE_DATA
from pipeline.data.checks import share_warning
from pipeline.data.digits import Digits
from pipeline.evidence.comparison import Comparison
from pipeline.evidence.contributions import Blend
from pipeline.evidence.selections import Selection
from pipeline.records.members import Member
from pipeline.records.run_folder import RunFolder
from pipeline.report.sentences import comparison_lines, selection_line
from pipeline.report.table import used_columns
from pipeline.training.messages import Progress

LOG_WIDTH = 160  # columns, where there is no terminal to ask


def new_console() -> Console:
    """A console on stdout, as wide as the terminal."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else LOG_WIDTH)


def show_run(console: Console, config: RunConfig, folder: RunFolder) -> None:
    """Say which run this is, and where."""
    console.print(f"run: {config.name} in {folder.path}", markup=False)


def show_data(console: Console, digits: Digits) -> None:
    """Say what it trains on."""
    sizes = f"{len(digits.labels):,} labelled, {len(digits.image_ids):,} to predict"
    console.print(f"data: {digits.source}; {sizes}", markup=False)


class ProgressView:
    """Shows members as they train. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done = self._total = 0
        self._tasks: dict[str, TaskID] = {}
        self._seconds: dict[str, float] = {}
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "ProgressView":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begin(self, finished: int, total: int) -> None:
        """Say how many of the run's members were finished before."""
        self._done, self._total = finished, total
        if finished:
            self._line(f"{finished} of {total} members are finished already")

    def warn(self, text: str) -> None:
        """Show a line that must not be overlooked, above the bars."""
        self._console.print(f"WARNING: {text}", style="bold red", markup=False, highlight=False, soft_wrap=True)

    def watch(self, spec: MemberSpec, progress: Progress) -> None:
        """Take in a progress report of a member."""
        if progress.warning:
            self.warn(f"{spec.id}: {progress.warning}")
            return
        epochs, record = spec.train.epochs, progress.record
        if spec.id not in self._tasks:
            self._done += 1
            label = f"[{self._done}/{self._total}] {spec.id}".replace("[", r"\[")
            self._tasks[spec.id] = self._bars.add_task(label, total=float(epochs), text="")
            if not self._console.is_terminal:
                self._line(f"[{self._done}/{self._total}] {spec.id}: {spec.architecture}, {epochs} epochs")
        text = f"epoch {progress.epoch}/{epochs} loss {progress.loss:.4f} accuracy {progress.accuracy:.4f}"
        if record:
            self._seconds[spec.id] = record["seconds"]
            validation = record.get("validation_accuracy", math.nan)
            text += "" if math.isnan(validation) else f" validation {validation:.4f}"
        if seconds := self._seconds.get(spec.id):
            text += f" {seconds:.1f} s/epoch"
        completed = progress.epoch - 1 + progress.step / progress.steps
        self._bars.update(self._tasks[spec.id], completed=completed, text=text)
        if record and not self._console.is_terminal:
            self._line(f"  {spec.id} {text}")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def comparison_table(comparison: Comparison) -> Table:
    """The comparison as a table for the terminal."""
    heads, rows = used_columns(comparison)
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Print the comparison's table and sentences."""
    console.print(comparison_table(comparison))
    for line in comparison_lines(comparison):
        console.print(line, markup=False)


def show_outcome(
    console: Console, config: RunConfig, folder: RunFolder, comparison: Comparison, seconds: float
) -> None:
    """Print what came out of a run, and where it is."""
    show_comparison(console, comparison)
    for member, reason in comparison.failed.items():
        console.print(f"WARNING: {member} is left out: {reason}", style="bold red", markup=False)
    voters = comparison.ensembles[-1].members
    console.print(f"submission: {folder.submission}, {voters} members with {config.vote} votes", markup=False)
    console.print(f"report: {folder.report}", markup=False)
    console.print(f"done in {seconds:.0f} s")


def show_shares(console: Console, labels: NDArray[np.int64], digits: Digits) -> None:
    """Warn if predicted labels, shape (m,), are spread unlike the labelled digits."""
    if warning := share_warning(digits, labels):
        console.print(f"WARNING: {warning}", style="bold red", markup=False)


def show_blend(
    console: Console, groups: Mapping[str, Sequence[Member]], blend: Blend | None, selections: Sequence[Selection]
) -> None:
    """Print the runs of a blend, the blend, and what each run adds."""
    if blend is None:
        for name, group in groups.items():
            console.print(f"{name}: {len(group)} networks", markup=False)
        console.print("not judged: the runs share no validation rows, and no labels of the images to predict are known")
        return
    table = Table("who", "networks", f"accuracy, {blend.whole.images:,} {blend.where} images", "errors", "errors saved")
    for run in blend.contributions:
        low, high = run.interval
        saved = f"{run.saved_errors:+d} (95% {low:+z.1f} to {high:+z.1f})"
        table.add_row(run.run, str(run.networks), f"{run.alone.accuracy:.5f}", str(run.alone.errors), saved)
    table.add_row("blend", str(blend.networks), f"{blend.whole.accuracy:.5f}", str(blend.whole.errors), "")
    for column in table.columns[1:]:
        column.justify = "right"
    console.print(table)
    for line in map(selection_line, selections):
        console.print(line, markup=False)


def show_score(console: Console, labels: NDArray[np.int64], digits: Digits) -> None:
    """Print what predicted labels, shape (m,), would score, where the held-back labels tell."""
    if digits.held_back_labels is not None:
        accuracy = float((labels == digits.held_back_labels).mean())
        console.print(
            f"this submission would score {accuracy:.5f} on the sample's held-back labels. The sample is 5,000 digits, "
            f"not the competition. {GET_THE_DATA} Then: python -m pipeline run leaderboard",
            markup=False,
        )
