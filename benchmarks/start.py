"""How long one waits: for --help, and for the first training step."""

import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.flags import Flags
from benchmarks.record import environment, save
from pipeline.config.schema import MemberSpec, TrainConfig
from pipeline.data.digits import load

HELP = [sys.executable, "-m", "pipeline", "--help"]
FIRST_STEPS = [sys.executable, "-c", "import sys; from benchmarks.start import train_first_steps as f; f(sys.argv[1])"]
BATCH = 8  # so that the first call's 32 steps, the first that is heard of, are soon done


@dataclass(frozen=True)
class Start(Flags):
    """Seconds of `python -m pipeline --help`, and from nothing to the first trained steps of a run."""

    def run(self) -> None:
        """Time both, again and again."""
        load(self.data)  # so that a mistake in its name is found here, not by the processes below
        helps, steps = [], []
        for _ in range(self.rounds):
            helps.append(_seconds(HELP))
            steps.append(_seconds([*FIRST_STEPS, self.data]))
        for what, seconds in (("--help", helps), (f"first steps (batch {BATCH})", steps)):
            print(f"{what}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
        save("start", self.out, {"environment": environment(), "help_seconds": helps, "first_steps_seconds": steps})


def train_first_steps(data: str) -> None:
    """Do what a run does, in its order, until a worker reports its first steps."""
    from benchmarks.ours import specs_of
    from pipeline.records.run_folder import RunFolder
    from pipeline.training.limits import Limits
    from pipeline.training.messages import Progress
    from pipeline.training.workers import Workers

    class Trained(Exception):  # noqa: N818 - it is the aim, not an error
        pass

    class Impatient:
        """Stops at the first sign of progress."""

        def begin(self, *_: object) -> None:
            pass

        def watch(self, _: MemberSpec, progress: Progress) -> None:
            if progress.step:
                raise Trained

        def finished(self, *_: object) -> None:
            pass

        def failed(self, spec: MemberSpec, reason: str) -> None:
            print(f"{spec.id} failed: {reason}")

        def warn(self, text: str) -> None:
            print(text)

    specs = specs_of("ghouzam", ("swish",), TrainConfig(batch_size=BATCH))
    with TemporaryDirectory() as folder, suppress(Trained), Workers(RunFolder(Path(folder)), specs) as workers:
        workers.run(specs, load(data), Impatient(), Limits())


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
