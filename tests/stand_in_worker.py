"""Workers that die in every way: real processes, pipes and signals; what they commit is guessed, so nothing is trained.

faults.json in the run's folder tells for how many workers there is room, and what goes wrong: a list of faults (which
member or worker it hits, how often, at what, and after which mark in the folder).
"""

import errno
import faulthandler
import json
import os
import signal
import sys
import time
import zlib
from pathlib import Path

import numpy as np
from factories import make_member

from pipeline.data.folds import split_rows
from pipeline.device.accelerator import Device
from pipeline.records.members import commit
from pipeline.training import worker
from pipeline.training.messages import Committed, Progress, Ready

FAULTS, TRAINED = "faults.json", "trained.txt"
LONGEST_WAIT = 60  # seconds for the other workers


class ResourceExhaustedError(Exception):
    """TensorFlow has one of this name."""


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def crash():
    os._exit(3)


def crash_later():
    time.sleep(1)
    os._exit(3)


def error():
    raise ValueError("a thing\nthat nobody foresaw")


def abort():
    os.write(2, b"I0000 00:00:1795854239.304654   18821 port.cc:153] oneDNN custom operations are on.\n")
    os.write(2, b"F0000 00:00:1795854253.159716   18821 parse.cc:234] Unknown flag in XLA_FLAGS: --x\x1b[2J\n")
    os.write(2, b"E0000 00:00:1795854253.159717   18821 cuda.cc:52] failed call to cuInit\n")
    faulthandler.disable()
    os.abort()


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def bad_alloc():
    faulthandler.disable()  # pytest's; it would print a page
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def host_memory():
    raise MemoryError("Unable to allocate 3.00 GiB")


def device_memory():
    raise ResourceExhaustedError("OOM when allocating tensor on /device:GPU:0\nand more")


def read_only():
    raise OSError(errno.EROFS, "Read-only file system", "runs/x/epoch-0001.npz")


def signals():
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)


def ask_the_run_to_stop():
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()


def kill_the_run():
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


def plan_faults(folder, *faults, capacity=2, seconds=0.01):
    """Write faults.json."""
    folder.mkdir(exist_ok=True)
    (folder / FAULTS).write_text(json.dumps({"capacity": capacity, "faults": faults, "seconds": seconds}))


def stand_in(monkeypatch):
    """Have these workers take the place of the real ones."""
    monkeypatch.setattr("pipeline.training.process.serve", serve)
    monkeypatch.setattr("pipeline.training.process.START_METHOD", "fork")  # fast, and nothing here uses TensorFlow


def serve(connection, number, folder, log):
    """In place of `worker.serve`: the same, but for the training."""
    worker._train_all = pretend
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - not pytest's
    worker.serve(connection, number, folder, log)


def describe_birth(connection, *_):
    """In place of `worker.serve`: what the process has from its parent."""
    connection.send((signal.pthread_sigmask(signal.SIG_BLOCK, []), os.environ.get("KERAS_HOME")))


def pretend(connection, number, folder):
    plan = json.loads((folder.path / FAULTS).read_text())
    strike(plan, folder, "start", number, None)
    connection.send(Ready(plan["capacity"], Device("cpu", "a guess", 1, "float32")))
    digits = connection.recv()
    (folder.path / f"ready-{number}").touch()
    while True:
        spec = connection.recv()
        wait_for_all(folder, plan["capacity"])  # so that every worker gets a member
        connection.send(Progress(1, 1, 1, 0.5, 0.5, {"seconds": plan["seconds"]}))
        strike(plan, folder, "training", number, spec.id)
        commit(folder.member(spec), guess(spec, digits), digits.digest(), Path.touch)
        with (folder.path / TRAINED).open("a") as stream:
            stream.write(f"{spec.id} {number}\n")
        connection.send(Committed())


def guess(spec, digits):
    """A member whose probabilities depend on its id alone."""
    generator = np.random.default_rng(zlib.crc32(spec.id.encode()))
    _, rows = split_rows(spec, digits)
    return make_member(
        spec,
        spec.activation,
        spec.seed,
        spec.fold,
        rows=rows,
        validation=generator.dirichlet(np.ones(10), len(rows)),
        test=generator.dirichlet(np.ones(10), len(digits.test_images)),
        history=[{"epoch": 1, "loss": 1.0, "validation_accuracy": 0.5, "seconds": 1.0}],
        environment={"device": "a guess"},
    )


def wait_for_all(folder, capacity):
    end = time.monotonic() + LONGEST_WAIT
    while not all((folder.path / f"ready-{number}").exists() for number in range(capacity)):
        if time.monotonic() > end:
            raise TimeoutError("one of the workers never came")
        time.sleep(0.01)


def strike(plan, folder, when, number, member):
    """Let the faults happen that are due."""
    for i, fault in enumerate(plan["faults"]):
        hit = fault.get("when", "training") == when
        hit = hit and fault.get("number", number) == number and fault.get("member", member) == member
        if not hit or not (folder.path / fault.get("after", FAULTS)).exists():
            continue
        for blow in range(fault.get("times", 99)):
            mark = folder.path / f"fault-{i}-{blow}"
            if not mark.exists():
                mark.touch()
                (folder.path / f"ready-{number}").touch()  # nobody needs to wait for it
                getattr(sys.modules[__name__], fault["how"])()
