"""The log in submissions/: of what was sent to Kaggle and what it scored."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from pipeline.config.errors import UserError
from pipeline.config.places import make_folder, submissions_folder
from pipeline.records.atomic import atomic_replace
from pipeline.records.readers import DamagedError, moment, read_bytes

LOG = "log.jsonl"
LARGEST_LOG = 16_000_000  # bytes
HASH_LENGTH = 12  # hexadecimal digits of the file's hash that a description carries
MARK = re.compile(r"\[([0-9a-f]{12})-([0-9a-f]{8})\]\s*$")  # hash and id


@dataclass(frozen=True)
class Entry:
    """One submission, a line of the log."""

    id: str
    """Marks the submission's description at Kaggle, by which it is found again."""
    time: str
    """When it was sent: ISO 8601, UTC."""
    source: str
    """The file, with its folder, or the kernel and its version."""
    sha256: str
    """Of the file."""
    message: str
    status: str = "sending"
    """sending: nobody knows yet whether it arrived; pending: it did, no score yet; complete; error; or lost: it did
    not."""
    score: float | None = None
    """Accuracy on the public part of the test images."""
    error: str | None = None
    """What Kaggle says of a submission that it could not score."""

    @property
    def description(self) -> str:
        """What it is called at Kaggle: the message, then a mark of which predictions and which submission it is."""
        return f"{self.message} [{self.sha256[:HASH_LENGTH]}-{self.id}]"

    def is_described_by(self, description: str) -> bool:
        """Whether a description at Kaggle is this submission's."""
        mark = MARK.search(description)
        return mark is not None and mark[2] == self.id


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep other commands on this machine from sending within the block."""
    lock = FileLock(make_folder(submissions_folder()) / ".sending.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        print("another command is sending a submission; waiting for it", flush=True)
        held = lock.acquire()
    with held:
        yield


def read_log() -> list[Entry]:
    """All submissions, oldest first; warns of lines that are damaged. Kaggle's own list knows what they were."""
    entries = []
    for number, line in enumerate(_lines(), 1):
        try:
            entries.append(_entry(line))
        except DamagedError as error:
            where = f"{submissions_folder() / LOG}, line {number}"
            print(f"WARNING: {where} is not an entry ({error}), and is left alone", file=sys.stderr, flush=True)
    return entries


def record(entry: Entry) -> Entry:
    """Add an entry to the log, or replace the one with its id; returns it. Damaged lines stay as they are."""
    folder = make_folder(submissions_folder())
    with FileLock(folder / ".log.lock"):
        lines: dict[str | int, bytes] = {}
        for number, line in enumerate(_lines()):
            try:
                lines[_entry(line).id] = line
            except DamagedError:
                lines[number] = line
        lines[entry.id] = json.dumps(asdict(entry)).encode()
        with atomic_replace(folder / LOG) as temporary:
            temporary.write_bytes(b"".join(line + b"\n" for line in lines.values()))
    return entry


def _lines() -> list[bytes]:
    try:
        return read_bytes(submissions_folder() / LOG, LARGEST_LOG).splitlines()
    except FileNotFoundError:
        return []
    except DamagedError as error:
        raise UserError(f"{error}. Move it away.") from None


def _entry(line: bytes) -> Entry:
    """The entry in a line, with a time that has a zone.

    Raises:
        DamagedError: there is none.
    """
    try:
        entry = TypeAdapter(Entry).validate_json(line, strict=True)
        return replace(entry, time=moment(entry.time).isoformat(timespec="seconds"))
    except ValidationError as error:
        raise DamagedError(error.errors()[0]["msg"]) from None
    except (ValueError, OverflowError):
        raise DamagedError("its time is none") from None
