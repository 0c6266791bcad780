"""The members of a run as they train: bars on a terminal, plain lines in a log."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from pipeline.config.schema import MemberSpec
from pipeline.device.accelerator import Device
from pipeline.report.speed import Speed
from pipeline.training.messages import Progress


class ProgressView:
    """Shows members as they train. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done = self._total = 0
        self._tasks: dict[str, TaskID] = {}
        self._seconds: dict[str, float] = {}
        self._devices: set[Device] = set()
        self._speed: Speed | None = None
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
        if progress.device:
            self._show_device(progress.device, spec.recipe.train.precision)
            return
        epochs, record = spec.recipe.train.epochs, progress.record
        if spec.id not in self._tasks:
            self._done += 1
            label = f"[{self._done}/{self._total}] {spec.id}".replace("[", r"\[")
            self._tasks[spec.id] = self._bars.add_task(label, total=float(epochs), text="")
            if not self._console.is_terminal:
                self._line(f"[{self._done}/{self._total}] {spec.id}: {spec.recipe.architecture}, {epochs} epochs")
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
        self._show_speed(spec, progress)

    def _show_device(self, device: Device, precision: str) -> None:
        """Say what computes, once for each kind of device."""
        if device not in self._devices:
            self._devices.add(device)
            self._line(f"device: {device}, {device.precision if precision == 'auto' else precision}")

    def _show_speed(self, spec: MemberSpec, progress: Progress) -> None:
        """Say how fast the training is and when it should end: once it can be known, and after each member."""
        epochs = spec.recipe.train.epochs
        if self._speed is None:
            self._speed = Speed(self._total - self._done + len(self._tasks), epochs)
        known = self._speed.seconds_left is not None
        self._speed.take_in(spec.id, progress, spec.recipe.train.batch_size)
        rate, left = self._speed.images_per_second, self._speed.seconds_left
        if rate and left and (not known or (progress.record and progress.epoch == epochs)):
            end = datetime.now().astimezone() + timedelta(seconds=left)
            self._line(f"  {rate:,.0f} images/s; the training should end in {left / 60:.0f} min, at {end:%H:%M %Z}")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
