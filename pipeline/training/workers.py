"""Many members: worker processes, two per GPU or one per CPU core, fed one member at a time.

Parent and worker talk over a pipe; its end is how the parent learns that a worker died. Then:

- Its member is tried once more, after all others; the second time it is left out. A death for lack of memory does not
  count while there are others that took their share of it.
- The run goes on without the worker, so that memory is for fewer, and a broken device is left alone. Only the last
  one that can train is replaced.
- If the last one died before it could train, what is not trained yet fails; if not one ever could train, the run fails.
- If it could not write, the run fails, because nobody can.

A worker that is alive but silent is waited for, with a warning.
"""

from collections import Counter, deque
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec, RunConfig
from pipeline.data.digits import Digits
from pipeline.device.accelerator import check_device
from pipeline.device.settings import settings_warning, training_environment
from pipeline.records.run_folder import RunFolder
from pipeline.training.checkpoint import epochs_done
from pipeline.training.engine import Observer
from pipeline.training.limits import Limits
from pipeline.training.messages import Committed, Diverged, Ended, Progress, Ready
from pipeline.training.process import WorkerProcess, silent

ATTEMPTS = 2
LONGEST_WAIT = 1.0  # seconds until a request to stop is noticed


class Workers:
    """The worker processes of a run. Use as a context manager: they are killed on exit.

    The first worker starts at once, so that it loads its libraries while the parent loads the data.

    Args:
        folder: The run's folder.
        specs: The run's members; none of them missing, no worker starts.
        device: What the workers have to compute on: auto, cpu, gpu or tpu.
        backend: What they compute with: auto, tensorflow or jax.

    Raises:
        UserError: the backend that is asked for cannot be used.
    """

    def __init__(
        self, folder: RunFolder, specs: Sequence[MemberSpec], device: str = "auto", backend: str = "auto"
    ) -> None:
        self._wanted = device, backend
        self._folder = folder
        self._can_train = False  # not known before the first worker is ready
        self._workers: list[WorkerProcess] = []
        self._waiting: deque[MemberSpec] = deque()
        self._deaths: Counter[MemberSpec] = Counter()
        self._failed: dict[str, str] = {}
        if any(not folder.member(spec).exists() for spec in specs):
            self._start(0)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    def run(self, specs: Sequence[MemberSpec], digits: Digits, observer: Observer, limits: Limits) -> dict[str, str]:
        """Train members; see `Engine.run`.

        Raises:
            RunError: no worker ever could train, or the disk is full.
            UserError: a worker does not compute on the device that was asked for.
        """
        self._waiting, self._observer, self._limits = deque(specs), observer, limits
        if specs and not self._workers:
            self._start(0)
        while not limits.over and self._hand_out():
            timeout = min(LONGEST_WAIT, limits.seconds_left)
            workers: dict[Any, WorkerProcess] = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(workers), timeout):
                self._listen(workers[connection], digits)
            for worker in self._workers:
                if worker.is_silent():
                    observer.warn(silent(worker.spec, f"{worker} (process {worker.process.pid})", worker.log))
        return self._failed

    def _listen(self, worker: WorkerProcess, digits: Digits) -> None:
        """Do what a worker's next message asks for, or its death."""
        match worker.receive():
            case Ready() as ready:
                self._begin(ready)
                worker.ready = True
                worker.send(digits)
            case Progress() as progress:
                if progress.record:
                    self._limits.measure(worker.spec, progress.record["seconds"])
                self._observer.watch(worker.spec, progress)
            case Committed():
                self._observer.finished(worker.release())
            case Diverged(reason):
                self._give_up(worker.release(), reason)
            case Ended(reason, "disk"):
                raise RunError(reason)
            case None:
                self._bury(worker)

    def _start(self, number: int) -> None:
        self._workers.append(WorkerProcess(number, self._folder, training_environment(*self._wanted)))

    def _begin(self, ready: Ready) -> None:
        """Start the other workers, once the first says how many there is room for."""
        unused = check_device(self._wanted[0], ready.device, training_environment(*self._wanted)["KERAS_BACKEND"])
        if not self._can_train:
            self._can_train = True
            for warning in filter(None, (unused, settings_warning())):
                self._observer.warn(warning)
            for number in range(1, min(ready.capacity, len(self._waiting))):
                self._start(number)

    def _hand_out(self) -> bool:
        """Give members to the workers that are free; whether there is anything to wait for then."""
        for worker in self._workers:
            if worker.ready and worker.spec is None and (spec := self._next()):
                self._waiting.remove(spec)
                worker.train(spec)
        return any(worker.spec or (self._waiting and not worker.ready) for worker in self._workers)

    def _next(self) -> MemberSpec | None:
        """The first of those that wait which would end in time."""
        done = ((spec, epochs_done(self._folder.checkpoints(spec))) for spec in self._waiting)
        return next((spec for spec, epochs in done if self._limits.allow(spec, epochs)), None)

    def _bury(self, worker: WorkerProcess) -> None:
        """Have a dead worker's member tried again, or give it up; go on without the worker, or replace the last one."""
        worker.stop()
        self._workers.remove(worker)
        left, reason = len(self._workers), worker.last_words()
        what = f"{worker} ended{'' if worker.ready else ' before it could train'}: {reason}"
        if spec := worker.spec:
            self._deaths[spec] += not (left and worker.lacked_memory)
            if self._deaths[spec] < ATTEMPTS:
                self._waiting.append(spec)
                what += f". {spec.id} is tried once more"
            else:
                remedy = "; lower --train.batch-size or --width" if worker.lacked_memory else ""
                self._give_up(spec, f"its worker ended twice: {reason}{remedy}; see {worker.log}")
        if worker.ready and not any(other.ready for other in self._workers):
            self._observer.warn(f"{what}. Another one takes its place; see {worker.log}")
            self._start(worker.number)
        elif left:
            self._observer.warn(f"{what}. Going on without it, with {left}; see {worker.log}")
        elif self._can_train:
            self._observer.warn(f"no worker is left: {what}")
            self._failed |= {spec.id: f"no worker is left: {what}" for spec in self._waiting}
            self._waiting.clear()
        else:
            raise RunError(f"{what}. {worker.log_tail()}")

    def _give_up(self, spec: MemberSpec, reason: str) -> None:
        self._failed[spec.id] = reason
        self._observer.failed(spec, reason)


def start_workers(folder: RunFolder, specs: Sequence[MemberSpec], config: RunConfig) -> Workers:
    """The worker processes that a config asks for."""
    return Workers(folder, specs, config.device, config.backend)
