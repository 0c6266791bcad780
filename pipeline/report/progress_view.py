"""The members of a run as they train: bars on a terminal, plain lines in a log."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from pipeline.config.schema import MemberSpec
from pipeline.training.messages import Progress


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

    def begin(self, finished: Sequence[MemberSpec], total: int) -> None:
        """Say how many of the run's members were finished before."""
        self._done, self._total = len(finished), total
        if finished:
            self._line(f"{len(finished)} of {total} members are finished already")

    def finished(self, spec: MemberSpec) -> None:
        """Say that a member is finished, where no bar shows it."""
        if not self._console.is_terminal:
            self._line(f"  {spec.id} is finished")

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
