"""The log in submissions/: of what was sent to Kaggle and what it scored."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from pipeline.config.errors import UserError
from pipeline.config.places import make_folder, submissions_folder
from pipeline.records.atomic import atomic_replace

LOG = "log.jsonl"
# sending: nobody knows yet whether it arrived. pending: arrived, no score yet. lost: never arrived.
OPEN, ENDED = ("sending", "pending"), ("complete", "error", "lost")
HASH_LENGTH = 12  # hexadecimal digits of the file's hash that a description carries
MARK = re.compile(r"\[(?:([0-9a-f]{12})-)?([0-9a-f]{8})\]\s*$")  # the first versions marked with the id alone


@dataclass(frozen=True)
class Entry:
    """One submission, a line of the log."""

    id: str
    """Marks the submission's description at Kaggle, by which it is found again."""
    time: str
    """When it was sent: ISO 8601, UTC."""
    source: str
    """The file, or the kernel and its version."""
    sha256: str
    """Of the file."""
    run: str | None
    """The run's folder, where the file comes from one."""
    config_digest: str | None
    message: str
    status: str = "sending"
    """sending, pending, complete, error or lost."""
    score: float | None = None
    """Accuracy on the public part of the test images."""
    error: str | None = None
    """What Kaggle says of a submission that it could not score."""

    @property
    def description(self) -> str:
        """What it is called at Kaggle: the message, then a mark of which predictions and which submission it is."""
        return f"{self.message} [{self.sha256[:HASH_LENGTH]}-{self.id}]"

    def is_described_by(self, description: str | None) -> bool:
        """Whether a description at Kaggle is this submission's."""
        mark = MARK.search(description or "")
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
    """All submissions, oldest first.

    Raises:
        UserError: a line of the log is damaged.
    """
    path = submissions_folder() / LOG
    if not path.exists():
        return []
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            entries.append(TypeAdapter(Entry).validate_json(line))
        except ValidationError as error:
            raise UserError(
                f"{path}, line {number} is not an entry ({error.errors()[0]['msg']}). Mend or remove that line."
            ) from None
    return entries


def record(entry: Entry) -> Entry:
    """Add an entry to the log, or replace the one with its id; returns it."""
    folder = make_folder(submissions_folder())
    with FileLock(folder / ".log.lock"):
        entries = {known.id: known for known in read_log()} | {entry.id: entry}
        with atomic_replace(folder / LOG) as temporary:
            temporary.write_text("".join(json.dumps(asdict(e)) + "\n" for e in entries.values()), encoding="utf-8")
    return entry
