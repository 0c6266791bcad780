"""Many members: worker processes, two per GPU or one per CPU core, fed one member at a time.

Parent and worker talk over a pipe; its end is how the parent learns that a worker died. What becomes of a dead worker:

- It died with its member: it is replaced, and the member is tried once more, on another device if there is one.
- It was the second in a row on its device: the device is given up while there are others.
- It ran out of memory: it is not replaced, and its member is tried again with fewer workers. If none shared the memory
  with it, it died with its member as above; only a GPU's memory is sure to be too small once more.
- It died before it could train: it is not replaced. When no worker is left, what is not trained yet fails; if not one
  ever could train, the run fails.
- It could not write: the run fails, because nobody can.

A worker that is alive but silent is waited for, with a warning.
"""

from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import wait

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
from pipeline.training.queue import MemberQueue

DEATHS_IN_A_ROW = 2  # on one device, which is then given up
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
        self._devices = 0  # not known before the first worker is ready
        self._deaths = Counter[int]()  # in a row, by device
        self._workers: list[WorkerProcess] = []
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
        queue = MemberQueue(specs, limits, lambda spec: epochs_done(self._folder.checkpoints(spec)), observer)
        if specs and not self._workers:
            self._start(0)
        while not limits.over and self._hand_out(queue):
            timeout = min(LONGEST_WAIT, limits.seconds_left)
            for connection in wait([worker.connection for worker in self._workers], timeout):
                worker = next((w for w in self._workers if w.connection is connection), None)
                if worker is not None:  # it was not stopped on account of another one
                    self._listen(worker, queue, digits, observer, limits)
            for worker in self._workers:
                if worker.is_silent():
                    observer.warn(silent(worker.spec, f"{worker} (process {worker.process.pid})", worker.log))
        return queue.failed

    def _listen(
        self, worker: WorkerProcess, queue: MemberQueue, digits: Digits, observer: Observer, limits: Limits
    ) -> None:
        """Do what a worker's next message asks for, or its death."""
        match worker.receive():
            case Ready() as ready:
                self._begin(ready, len(queue), observer)
                worker.ready = True
                worker.send(digits)
            case Progress() as progress:
                if progress.record:
                    limits.measure(worker.spec, progress.record["seconds"])
                observer.watch(worker.spec, progress)
            case Committed():
                self._deaths[self._device(worker)] = 0
                observer.finished(worker.release())
            case Diverged(reason):
                queue.give_up(worker.release(), reason)
            case Ended(reason, "disk"):
                raise RunError(reason)
            case None:
                self._bury(worker, queue, observer)

    def _start(self, number: int) -> None:
        self._workers.append(WorkerProcess(number, self._folder, training_environment(*self._wanted)))

    def _begin(self, ready: Ready, members: int, observer: Observer) -> None:
        """Start the other workers, once the first says how many there is room for."""
        unused = check_device(self._wanted[0], ready.device, training_environment(*self._wanted)["KERAS_BACKEND"])
        if not self._devices:
            self._devices = ready.devices
            for warning in filter(None, (unused, settings_warning())):
                observer.warn(warning)
            for number in range(1, min(ready.capacity, members)):
                self._start(number)

    def _device(self, worker: WorkerProcess) -> int:
        return worker.number % max(self._devices, 1)

    def _hand_out(self, queue: MemberQueue) -> bool:
        """Give members to the workers that are free; whether there is anything to wait for then."""
        devices = {self._device(worker) for worker in self._workers}
        for worker in self._workers:
            if worker.ready and worker.spec is None and (spec := queue.take(self._device(worker), devices)):
                worker.train(spec)
        return any(worker.spec or (len(queue) and not worker.ready) for worker in self._workers)

    def _bury(self, worker: WorkerProcess, queue: MemberQueue, observer: Observer) -> None:
        """Do without a dead worker, or replace it; have its member tried again, or give it up."""
        worker.stop()
        self._workers.remove(worker)
        if not worker.ready:
            self._do_without(worker, queue, observer)
        elif worker.short_of:
            self._relieve(worker, queue, observer)
        else:
            self._replace(worker, queue, observer)

    def _do_without(self, worker: WorkerProcess, queue: MemberQueue, observer: Observer) -> None:
        """Go on with the workers that are left after one died before it could train."""
        reason = f"{worker} ended before it could train: {worker.last_words()}"
        if self._workers:
            observer.warn(f"{reason}. Going on without it, with {len(self._workers)}; {worker.see_log()}")
        elif self._devices:
            queue.give_up_all(f"no worker is left: {reason}")
        else:
            raise RunError(f"{reason}. {worker.log_tail()}")

    def _relieve(self, worker: WorkerProcess, queue: MemberQueue, observer: Observer) -> None:
        """Go on with fewer workers after one ran out of the memory that it shared; alone, it fails with its member."""
        of_machine = worker.short_of == "memory"
        sharers = [w for w in self._workers if of_machine or self._device(w) == self._device(worker)]
        if sharers:
            words = f"{worker} ended: {worker.last_words()}"
            observer.warn(f"{words}. Going on with {len(self._workers)} workers; {worker.see_log()}")
            if worker.spec:
                queue.put_back(worker.spec)
        elif not of_machine and worker.spec:
            remedy = "alone on its device. Lower --train.batch-size or --width."
            queue.give_up(worker.spec, f"{worker.last_words()}, {remedy}")
            self._start(worker.number)
        else:
            self._replace(worker, queue, observer)

    def _replace(self, worker: WorkerProcess, queue: MemberQueue, observer: Observer) -> None:
        """Have a dead worker's member tried once more, or give it up; replace the worker, or give its device up."""
        device, spec, reason = self._device(worker), worker.spec, worker.last_words()
        self._deaths[device] += 1
        if spec and queue.try_again(spec, device):
            observer.warn(f"{worker} ended: {reason}. {spec.id} is tried once more; {worker.see_log()}")
        elif spec:
            queue.give_up(spec, f"its worker ended twice: {reason}; {worker.see_log()}")
        if self._deaths[device] >= DEATHS_IN_A_ROW and any(self._device(w) != device for w in self._workers):
            self._retire(device, queue, observer)
        else:
            self._start(worker.number)

    def _retire(self, device: int, queue: MemberQueue, observer: Observer) -> None:
        """Use a device no more."""
        observer.warn(f"device {device} is given up: {DEATHS_IN_A_ROW} workers in a row died on it")
        for worker in [w for w in self._workers if self._device(w) == device]:
            worker.stop()
            self._workers.remove(worker)
            if worker.spec:
                queue.put_back(worker.spec)


def start_workers(folder: RunFolder, specs: Sequence[MemberSpec], config: RunConfig) -> Workers:
    """The worker processes that a config asks for."""
    return Workers(folder, specs, config.device, config.backend)
