"""Many members: fresh worker processes, two per GPU or one per CPU core, fed one member at a time.

Parent and worker talk over a pipe; its end is how the parent learns that a worker died. A worker pays for start-up and
compilation once and trains member after member. It loads TensorFlow, the parent never does. What a worker and the
libraries below it print goes to logs/worker-<device>.log in the run's folder.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec
from pipeline.data.digits import Digits
from pipeline.network.accelerator import check_device, device_environment
from pipeline.records.members import commit
from pipeline.records.run_folder import RunFolder
from pipeline.training.engine import Observer
from pipeline.training.messages import Committed, Diverged, Message, Progress, Ready

ATTEMPTS = 2
LOG_TAIL = 15  # lines of a dead worker's log that are shown


class Workers:
    """The worker processes of a run. Use as a context manager: they are killed on exit.

    The first worker starts at once, so that it loads its libraries while the parent loads the data.

    Args:
        folder: The run's folder.
        device: What the workers have to compute on: auto, cpu, gpu or tpu.
        backend: What they compute with: auto, tensorflow or jax.
    """

    def __init__(self, folder: RunFolder, device: str = "auto", backend: str = "auto") -> None:
        # TensorFlow turns oneDNN on by itself only for CPUs with AVX512 instructions; on others it pays as well. Set
        # here, because a bundled worker loads TensorFlow before it reaches its own first line.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        # JAX would reserve most of a GPU's memory for the first of the processes that share it.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        os.environ.update(device_environment(device, backend))
        self._device = device
        self._folder = folder
        self._workers = [_Worker(0, folder)]

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    def run(self, specs: Sequence[MemberSpec], digits: Digits, observer: Observer) -> dict[str, str]:
        """Train members; see `Engine.run`.

        Raises:
            RunError: a worker died before it was ready to train anything.
            UserError: a worker does not compute on the device that was asked for.
        """
        blind = replace(digits, held_back_labels=None)  # so that nothing could train on them
        pending, attempts, failed = deque(specs), Counter[str](), dict[str, str]()
        while pending or any(worker.spec for worker in self._workers):
            for connection in wait([worker.connection for worker in self._workers]):
                worker = next(w for w in self._workers if w.connection is connection)
                try:
                    message: Message = worker.connection.recv()
                except (EOFError, OSError):
                    self._bury(worker, pending, attempts, failed, observer)
                    continue
                match message:
                    case Progress():
                        observer.watch(worker.spec, message)
                        continue
                    case Ready(capacity, device):
                        check_device(self._device, device)
                        if worker.device == 0 and len(self._workers) == 1:
                            count = min(capacity, len(specs))
                            self._workers += [_Worker(device, self._folder) for device in range(1, count)]
                        worker.send(blind)
                    case Diverged(reason):
                        failed[worker.spec.id] = reason
                        observer.warn(f"{worker.spec.id} failed and is left out: {reason}")
                worker.give(pending.popleft() if pending else None)
        return failed

    def _bury(
        self,
        worker: "_Worker",
        pending: deque[MemberSpec],
        attempts: Counter[str],
        failed: dict[str, str],
        observer: Observer,
    ) -> None:
        """Replace a dead worker, and try its member once more or give it up."""
        worker.process.join()
        reason = f"worker {worker.device} ended with exit code {worker.process.exitcode}"
        tail = "".join(worker.log.read_text(errors="replace").splitlines(keepends=True)[-LOG_TAIL:])
        if not worker.ready:
            raise RunError(f"{reason} before it could train. The end of {worker.log}:\n{tail}")
        if spec := worker.spec:
            attempts[spec.id] += 1
            if attempts[spec.id] < ATTEMPTS:
                observer.warn(f"{reason} while it trained {spec.id}, which is tried once more; see {worker.log}")
                pending.appendleft(spec)
            else:
                failed[spec.id] = f"{reason}, twice"
                observer.warn(f"{spec.id} failed and is left out: {reason}, twice. The end of {worker.log}:\n{tail}")
        self._workers[self._workers.index(worker)] = _Worker(worker.device, self._folder)


class _Worker:
    """A worker process as its parent sees it."""

    def __init__(self, device: int, folder: RunFolder) -> None:
        self.device = device
        self.log = folder.worker_log(device)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.spec: Any = None
        self.ready = False
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, device, folder, self.log), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, spec: MemberSpec | None) -> None:
        """Hand it its next member, or nothing to do."""
        self.ready = True
        self.spec = spec
        if spec is not None:
            self.send(spec)

    def send(self, content: Any) -> None:
        """Send it something; if it just died, the next read of the pipe will tell."""
        with suppress(OSError):
            self.connection.send(content)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()


def serve(connection: Connection, device: int, folder: RunFolder, log: Path) -> None:
    """The worker process: receive the digits, then train and commit every member that is sent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with log.open("a") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        _serve(connection, device, folder)
    except (EOFError, BrokenPipeError):
        pass  # the parent has gone
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # not sys.exit: the threads of a broken TensorFlow may never end


def _serve(connection: Connection, device: int, folder: RunFolder) -> None:
    # Imported late: these load TensorFlow, which takes seconds and is of no use to the parent.
    from pipeline.network.device import configure_device, found_device, worker_capacity
    from pipeline.training.loop import DivergedError, train_member
    from pipeline.training.trainer import Trainer

    def send(message: Message) -> None:
        connection.send(message)

    configure_device(device)
    send(Ready(worker_capacity(), found_device()))
    digits: Digits = connection.recv()
    data_digest = digits.digest()
    trainers: dict[Any, Trainer] = {}
    while True:
        spec: MemberSpec = connection.recv()
        try:
            member, network = train_member(spec, digits, folder.checkpoints(spec), trainers, send)
        except DivergedError as error:
            send(Diverged(str(error)))
            continue
        commit(folder.member(spec), member, data_digest, network.save)
        shutil.rmtree(folder.checkpoints(spec))
        send(Committed())


def _die_with_parent() -> None:
    """End this process as soon as its parent is gone, even if that was killed; otherwise it would be orphaned."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
