"""Many members: worker processes, two per GPU or one per CPU core, fed one member at a time.

Parent and worker talk over a pipe; its end is how the parent learns that a worker died. What becomes of a dead worker:

- It died with its member: it is replaced, and the member is tried once more, on another device if there is one.
- It was the second in a row on its device: the device is given up while there are others.
- It ran out of memory: it is not replaced, and its member is tried again with fewer workers. If none shared the memory
  with it, it died with its member as above; only a GPU's memory is sure to be too small once more.
- It died before it could train: it is not replaced. The run fails when no worker is left.
- It could not write: the run fails, because nobody can.
"""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any, Final

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec, RunConfig
from pipeline.config.text import last_lines
from pipeline.data.digits import Digits
from pipeline.device.accelerator import check_device
from pipeline.device.settings import settings_warning, training_environment
from pipeline.records.run_folder import RunFolder
from pipeline.training.checkpoint import epochs_done
from pipeline.training.engine import Observer
from pipeline.training.limits import Limits
from pipeline.training.messages import Committed, Diverged, Message, OutOfMemory, Progress, Ready, Unwritable
from pipeline.training.queue import MemberQueue
from pipeline.training.worker import serve

DEATHS_IN_A_ROW = 2  # on one device, which is then given up
LOG_TAIL = 15  # lines of a dead worker's log that are shown
START_METHOD: Final = "spawn"  # TensorFlow does not survive a fork
LONGEST_WAIT = 1.0  # seconds until a request to stop is noticed


class Workers:
    """The worker processes of a run. Use as a context manager: they are killed on exit.

    The first worker starts at once, so that it loads its libraries while the parent loads the data.

    Args:
        folder: The run's folder.
        specs: The run's members; none of them missing, no worker starts.
        device: What the workers have to compute on: auto, cpu, gpu or tpu.
        backend: What they compute with: auto, tensorflow or jax.
    """

    def __init__(
        self, folder: RunFolder, specs: Sequence[MemberSpec], device: str = "auto", backend: str = "auto"
    ) -> None:
        self._wanted = device, backend
        self._folder = folder
        self._devices = 0  # not known before the first worker is ready
        self._deaths = Counter[int]()  # in a row, by device
        self._workers: list[_Worker] = []
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
            RunError: no worker is left that could train, or the disk is full.
            UserError: a worker does not compute on the device that was asked for.
        """
        blind = replace(digits, held_back_labels=None)  # so that nothing could train on them
        queue = MemberQueue(specs, limits, lambda spec: epochs_done(self._folder.checkpoints(spec)))
        if specs and not self._workers:
            self._start(0)
        while not limits.over and self._hand_out(queue):
            timeout = min(LONGEST_WAIT, limits.seconds_left)
            for connection in wait([worker.connection for worker in self._workers], timeout):
                worker = next((w for w in self._workers if w.connection is connection), None)
                if worker is None:
                    continue  # it was stopped on account of another one
                match worker.receive():
                    case Ready() as ready:
                        self._begin(ready, len(specs), observer)
                        worker.ready = True
                        worker.send(blind)
                    case Progress() as progress:
                        if progress.record:
                            limits.measure(worker.spec, progress.record["seconds"])
                        observer.watch(worker.spec, progress)
                    case Committed():
                        self._deaths[self._device(worker)] = 0
                        observer.finished(worker.release())
                    case Diverged(reason):
                        _give_up(worker.release(), reason, queue, observer)
                    case OutOfMemory() as last_words:
                        worker.out_of_memory = last_words
                    case Unwritable(reason):
                        raise RunError(reason)
                    case None:
                        self._bury(worker, queue, observer)
        return queue.failed

    def _start(self, number: int) -> None:
        self._workers.append(_Worker(number, self._folder, training_environment(*self._wanted)))

    def _begin(self, ready: Ready, members: int, observer: Observer) -> None:
        """Start the other workers, once the first says how many there is room for."""
        unused = check_device(self._wanted[0], ready.device, training_environment(*self._wanted)["KERAS_BACKEND"])
        if not self._devices:
            self._devices = ready.devices
            for warning in (unused, settings_warning()):
                if warning:
                    observer.warn(warning)
            for number in range(1, min(ready.capacity, members)):
                self._start(number)

    def _device(self, worker: "_Worker") -> int:
        return worker.number % max(self._devices, 1)

    def _hand_out(self, queue: MemberQueue) -> bool:
        """Give members to the workers that are free; whether there is anything to wait for then."""
        devices = {self._device(worker) for worker in self._workers}
        for worker in self._workers:
            if worker.ready and worker.spec is None and (spec := queue.take(self._device(worker), devices)):
                worker.train(spec)
        return any(worker.spec or (len(queue) and not worker.ready) for worker in self._workers)

    def _bury(self, worker: "_Worker", queue: MemberQueue, observer: Observer) -> None:
        """Do without a dead worker, or replace it; have its member tried again, or give it up."""
        worker.stop()
        self._workers.remove(worker)
        if not worker.ready:
            self._report_false_start(worker, observer)
        elif memory := worker.lack_of_memory():
            self._relieve(worker, memory, queue, observer)
        else:
            self._bury_with_member(worker, queue, observer)

    def _report_false_start(self, worker: "_Worker", observer: Observer) -> None:
        reason = f"{worker.obituary()} before it could train"
        if not self._workers:
            raise RunError(f"{reason}, and no other worker is left. The end of {worker.log}:\n{worker.log_tail()}")
        observer.warn(f"{reason}; going on without it, with {len(self._workers)}. See {worker.log}")

    def _relieve(self, worker: "_Worker", memory: OutOfMemory, queue: MemberQueue, observer: Observer) -> None:
        """Go on with fewer workers after one ran out of the memory that it shared; alone, it fails with its member."""
        sharers = [w for w in self._workers if not memory.of_device or self._device(w) == self._device(worker)]
        if sharers:
            observer.warn(f"{worker.obituary()}: going on with {len(self._workers)} workers. See {worker.log}")
            if worker.spec:
                queue.put_back(worker.spec)
        elif memory.of_device and worker.spec:
            reason = f"{worker.obituary()}, alone on its device. Lower --train.batch-size or --width."
            _give_up(worker.spec, reason, queue, observer)
            self._start(worker.number)
        else:
            self._bury_with_member(worker, queue, observer)

    def _bury_with_member(self, worker: "_Worker", queue: MemberQueue, observer: Observer) -> None:
        """Have a dead worker's member tried once more, or give it up; replace the worker, or give its device up."""
        device, spec, reason = self._device(worker), worker.spec, worker.obituary()
        self._deaths[device] += 1
        if spec and queue.try_again(spec, device):
            observer.warn(f"{reason} while it trained {spec.id}, which is tried once more; see {worker.log}")
        elif spec:
            _give_up(spec, f"{reason}, twice", queue, observer)
            observer.warn(f"The end of {worker.log}:\n{worker.log_tail()}")
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


def _give_up(spec: MemberSpec, reason: str, queue: MemberQueue, observer: Observer) -> None:
    queue.failed[spec.id] = reason
    observer.warn(f"{spec.id} failed and is left out: {reason}")


class _Worker:
    """A worker process as its parent sees it."""

    def __init__(self, number: int, folder: RunFolder, environment: Mapping[str, str]) -> None:
        self.number = number
        self.log = folder.worker_log(number)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.ready = False
        self.spec: Any = None
        self.out_of_memory: OutOfMemory | None = None
        context = multiprocessing.get_context(START_METHOD)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, number, folder, self.log), daemon=True)
        with _set_in_environment(environment):
            self.process.start()
        theirs.close()

    def train(self, spec: MemberSpec) -> None:
        """Hand it its next member."""
        self.spec = spec
        self.send(spec)

    def release(self) -> MemberSpec:
        """Take its member from it, which it is done with."""
        spec, self.spec = self.spec, None
        return spec

    def send(self, content: Any) -> None:
        """Send it something; if it just died, the next read of the pipe will tell."""
        with suppress(OSError):
            self.connection.send(content)

    def receive(self) -> Message | None:
        """What it says; None if it is dead."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return None

    def stop(self) -> None:
        """Kill it, if it lives, and wait for its end."""
        self.process.kill()
        self.process.join()

    def obituary(self) -> str:
        """How it ended, in words."""
        if self.out_of_memory:
            return f"worker {self.number} ran out of memory ({self.out_of_memory.reason})"
        killed = " (killed, as happens when memory runs out)" if self.process.exitcode == -signal.SIGKILL else ""
        return f"worker {self.number} ended with exit code {self.process.exitcode}{killed}"

    def lack_of_memory(self) -> OutOfMemory | None:
        """What it lacked, if it ran out of memory: it said so, the system killed it, or its C++ parts gave up."""
        if self.process.exitcode == -signal.SIGKILL or "std::bad_alloc" in self.log_tail():
            return self.out_of_memory or OutOfMemory(self.obituary(), of_device=False)
        return self.out_of_memory

    def log_tail(self) -> str:
        """The last lines of its log."""
        return last_lines(self.log.read_text(errors="replace"), LOG_TAIL)


@contextmanager
def _set_in_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block, for a process that starts in it."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
