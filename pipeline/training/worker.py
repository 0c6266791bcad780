"""A worker process: it trains and commits one member after another, and tells its parent how that goes.

It loads TensorFlow, which the parent never does, and pays for start-up and compilation once. What it and the libraries
below it print goes to logs/worker-<number>.log in the run's folder.
"""

import errno
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline.config.errors import RunError
from pipeline.config.schema import MemberSpec
from pipeline.config.text import named
from pipeline.data.digits import Digits
from pipeline.records.atomic import full_disk_named
from pipeline.records.members import commit
from pipeline.records.run_folder import RunFolder
from pipeline.training.messages import Committed, Diverged, Ended, Message, Ready

NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)  # a full disk is a RunError already


def serve(connection: Connection, number: int, folder: RunFolder, log: Path) -> None:
    """The worker process: receive the digits, then train and commit every member that is sent."""
    # The parent decides what Ctrl-C and SIGTERM mean; both often reach all processes of a group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        with full_disk_named(folder.path):
            _print_to(log)
            _train_all(connection, number, folder)
    except (EOFError, BrokenPipeError):
        pass  # the parent has gone
    except BaseException as error:
        with suppress(OSError):  # the disk may be full
            traceback.print_exc()
            sys.stderr.flush()
        with suppress(OSError):
            connection.send(last_message(error))
        os._exit(1)  # not sys.exit: the threads of a broken TensorFlow may never end


def last_message(error: BaseException) -> Ended:
    """What the parent should know of the error that ends a worker."""
    text = str(error)
    if isinstance(error, RunError) or getattr(error, "errno", None) in NOT_WRITABLE:
        return Ended(text, "disk")
    exhausted = type(error).__name__ == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in text  # TensorFlow; JAX
    if exhausted or isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return Ended(named(error), "memory")
    return Ended(named(error))


def _print_to(log: Path) -> None:
    with log.open("a") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)


def _train_all(connection: Connection, number: int, folder: RunFolder) -> None:
    # Imported late: these load TensorFlow, which takes seconds and is of no use to the parent.
    from pipeline.device.accelerator import configure_device, found_device, worker_capacity
    from pipeline.training.loop import DivergedError, train_member
    from pipeline.training.trainer import Trainer

    def send(message: Message) -> None:
        connection.send(message)

    configure_device(number)
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
