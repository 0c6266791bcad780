"""A worker process as its parent sees it: what it is given, what it says, and what it ended of."""

import multiprocessing
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any, Final

from pipeline.config.schema import MemberSpec
from pipeline.config.text import last_lines, printable
from pipeline.records.run_folder import RunFolder
from pipeline.training.messages import Ended, Message
from pipeline.training.worker import serve

START_METHOD: Final = "spawn"  # TensorFlow does not survive a fork
LOG_TAIL = 15  # lines of a dead worker's log that are shown
LONGEST_LOG = 200_000  # bytes of it that are looked at
SILENCE = 600.0  # seconds without a word, which no compilation takes
# The lines in which C++ and Python say why a process ends, among all that TensorFlow prints.
LAST_WORDS = re.compile(
    r"^(?:F\d{4} .*?\] |\d{4}-\d\d-\d\d \S+ F .*?\] )(.+)$"
    r"|^(terminate called after throwing .+|Fatal Python error: .+|[A-Za-z_][\w.]*(?:Error|Exception)\b.*)$",
    re.MULTILINE,
)


class Pulse:
    """When something last gave a sign of life."""

    def __init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        """It gave one."""
        self._last, self._noticed = time.monotonic(), False

    def stops(self) -> bool:
        """Whether it has been silent for long; true once in each silence."""
        if self._noticed or time.monotonic() - self._last < SILENCE:
            return False
        self._noticed = True
        return True


def silent(spec: MemberSpec | None, where: str, log: object) -> str:
    """A warning that nothing is heard of a member, or of a worker that has none."""
    what = f"{spec.id} makes no progress" if spec else "it does not get ready to train"
    return f"{where} has said nothing for {SILENCE / 60:.0f} minutes: {what}. Still waiting for it; see {log}"


class WorkerProcess:
    """One of a run's worker processes; it has these environment variables besides those of this process."""

    def __init__(self, number: int, folder: RunFolder, environment: Mapping[str, str]) -> None:
        self.number = number
        self.log = folder.worker_log(number)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0  # after what those before it printed
        self.ready = False
        self.spec: Any = None
        self.pulse = Pulse()
        self._ended: Ended | None = None
        context = multiprocessing.get_context(START_METHOD)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, number, folder, self.log), daemon=True)
        with _born_into(environment):
            self.process.start()
        theirs.close()

    def __str__(self) -> str:
        return f"worker {self.number}"

    def train(self, spec: MemberSpec) -> None:
        """Hand it its next member."""
        self.spec = spec
        self.pulse.beat()
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
        self.pulse.beat()
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(message, Ended):
            self._ended = message
        return message

    def is_silent(self) -> bool:
        """Whether it should have said something long ago; true once in each silence."""
        return (self.spec is not None or not self.ready) and self.pulse.stops()

    def stop(self) -> None:
        """Kill it, if it lives, and wait for its end."""
        self.process.kill()
        self.process.join()

    def last_words(self) -> str:
        """Why it ended: its last error, else the line of its log that says so, else its exit code."""
        if self._ended:
            return f"out of memory ({self._ended.reason})" if self._ended.short_of else self._ended.reason
        code = self.process.exitcode or 0
        if code == -signal.SIGKILL:
            return "killed, as happens when memory runs out"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        words = [fatal or error for fatal, error in LAST_WORDS.findall(self._log_text())]
        return f"{printable(words[-1].strip())} ({how})" if words else how

    @property
    def lacked_memory(self) -> bool:
        """Whether it ran out of memory: it said so, the system killed it, or its C++ parts gave up."""
        if self._ended:
            return self._ended.short_of == "memory"
        return self.process.exitcode == -signal.SIGKILL or "std::bad_alloc" in self._log_text()

    def log_tail(self) -> str:
        """The last lines of its log, under its name."""
        if tail := last_lines(self._log_text(), LOG_TAIL):
            return f"The end of {self.log}:\n{printable(tail)}"
        return f"It left nothing in {self.log}; what it printed, if anything, stands above"

    def _log_text(self) -> str:
        if not self.log.exists():
            return ""
        with self.log.open("rb") as stream:
            stream.seek(max(self._log_begins, self.log.stat().st_size - LONGEST_LOG))
            return stream.read().decode(errors="replace")


@contextmanager
def _born_into(environment: Mapping[str, str]) -> Iterator[None]:
    """A process that starts within the block has these variables, and is deaf to Ctrl-C and SIGTERM from its birth."""
    before = dict(os.environ)
    os.environ.update(environment)
    if blocks := hasattr(signal, "pthread_sigmask"):  # not on Windows
        resource_tracker.ensure_running()  # which would unblock them
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        if blocks:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        os.environ.clear()
        os.environ.update(before)
