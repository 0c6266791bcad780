"""The networks of a run as they train: a table and a bar of the whole on a terminal, a line per epoch in a log."""

import math
import time
from collections.abc import Sequence
from datetime import datetime
from statistics import mean

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.config.schema import MemberSpec
from pipeline.device.accelerator import Device
from pipeline.report.words import duration, text_table
from pipeline.training.messages import Progress

HEADS = ("network", "epoch", "loss", "accuracy", "validation", "s/epoch")
REDRAWN = 4  # times a second
BAR = 24  # columns
LOADING = "loading libraries and data; the first epoch compiles"
VOTING = "all networks are trained"


class ProgressView:
    """Shows members as they train. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done = self._total = self.trained = 0
        self._epochs = self._images = 0  # of a network; of an epoch
        self._together = 0  # networks that trained at a time
        self._started: float | None = None  # when the first network reported
        self._begun: dict[MemberSpec, float] = {}  # epochs of each network at its first report
        self._reached: dict[MemberSpec, float] = {}  # and at its last
        self._epochs_per_second: float | None = None  # of all networks together; known after an epoch
        self._training: dict[MemberSpec, Progress] = {}
        self._seconds: dict[MemberSpec, float] = {}
        self._devices: set[Device] = set()
        self._spinner = Spinner("dots", LOADING)
        self._live = Live(console=console, refresh_per_second=REDRAWN, transient=True, get_renderable=self._drawn)

    def __enter__(self) -> "ProgressView":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @property
    def images_per_second(self) -> float | None:
        """Training images of all networks that train at a time, by their latest epochs; None before there is one."""
        seconds = list(self._seconds.values())
        return self._together * self._images / mean(seconds) if seconds else None

    def begin(self, finished: Sequence[MemberSpec], total: int) -> None:
        """Say how many of the run's members were finished before."""
        self._done, self._total = len(finished), total
        if finished:
            self._line(f"{len(finished)} of {total} networks are finished already")

    def finished(self, spec: MemberSpec) -> None:
        """Take a member off the table."""
        self._done += 1
        self.trained += 1
        self._training.pop(spec, None)

    def failed(self, spec: MemberSpec, reason: str) -> None:
        """Take a member off the table and out of what is left, and say why."""
        self._total -= 1
        self._training.pop(spec, None)
        self.warn(f"{spec.id} failed and is left out: {reason}")

    def warn(self, text: str) -> None:
        """Show a line that must not be overlooked."""
        self._console.print(f"WARNING: {text}", style="bold red", markup=False, highlight=False, soft_wrap=True)

    def watch(self, spec: MemberSpec, progress: Progress) -> None:
        """Take in a progress report of a member."""
        if progress.warning:
            self.warn(f"{spec.id}: {progress.warning}")
            return
        if progress.device:
            self._show_device(progress.device, spec.recipe.train.precision)
            return
        self._measure(spec, progress)
        self._training[spec] = progress
        self._together = max(self._together, len(self._training))
        if progress.record:
            self._seconds[spec] = progress.record["seconds"]
            if not self._console.is_terminal:
                pairs = zip(HEADS, self._cells(spec, progress), strict=True)
                text = "  ".join(cell if head == HEADS[0] else f"{head} {cell}" for head, cell in pairs if cell)
                self._line(f"{datetime.now():%H:%M:%S}  {text}  {self._left()}".rstrip())

    def _cells(self, spec: MemberSpec, progress: Progress) -> list[str]:
        """Of a member, under HEADS."""
        validation = (progress.record or {}).get("validation_accuracy", math.nan)
        return [
            spec.id,
            f"{progress.epoch}/{spec.recipe.train.epochs}",
            f"{progress.loss:.4f}",
            f"{progress.accuracy:.4f}",
            "" if math.isnan(validation) else f"{validation:.4f}",
            f"{self._seconds[spec]:.1f}" if spec in self._seconds else "",
        ]

    def _measure(self, spec: MemberSpec, progress: Progress) -> None:
        """Learn from a report how fast the networks train: from the first one on, when libraries are loaded."""
        now, train = time.monotonic(), spec.recipe.train
        self._epochs, self._images = train.epochs, progress.steps * train.batch_size
        self._started = self._started or now
        self._reached[spec] = progress.epoch - 1 + progress.step / progress.steps
        self._begun.setdefault(spec, self._reached[spec])
        gained = sum(self._reached.values()) - sum(self._begun.values())
        if gained >= 1 and now > self._started:
            self._epochs_per_second = gained / (now - self._started)

    def _left(self) -> str:
        """Such as "3 min left"; empty before that can be known."""
        if self._epochs_per_second is None:
            return ""
        return f"{duration((self._total * self._epochs - self._epochs_done()) / self._epochs_per_second)} left"

    def _epochs_done(self) -> float:
        """Epochs of all networks."""
        training = list(self._training.values())  # this may be another thread
        return self._done * self._epochs + sum(each.epoch - 1 + each.step / each.steps for each in training)

    def _drawn(self) -> RenderableType:
        """The whole, then the networks in training; what does not fit is cut off below."""
        training = list(self._training.items())  # this is another thread's
        if not training:
            self._spinner.text = Text(VOTING if 0 < self._total == self._done else LOADING)
            return self._spinner
        done, total = self._epochs_done(), self._total * self._epochs
        whole = Table.grid(padding=(0, 2))
        rate = f"{rate:,.0f} images/s" if (rate := self.images_per_second) else ""
        bar = ProgressBar(total, done, width=BAR)
        whole.add_row("  all", bar, f"{done:.0f} of {total} epochs", rate, self._left())
        lines = text_table(HEADS, [self._cells(*each) for each in training], self._console.width)
        return Group(whole, Text("\n".join(lines), no_wrap=True))

    def _show_device(self, device: Device, precision: str) -> None:
        """Say what computes, once for each kind of device."""
        if device not in self._devices:
            self._devices.add(device)
            self._line(f"device: {device}, {device.precision if precision == 'auto' else precision}")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
