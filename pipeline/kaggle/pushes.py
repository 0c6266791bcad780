"""What was pushed: the record of it in a run's folder, and how it is found again."""

import hashlib
import re
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config.errors import UserError
from pipeline.config.places import make_folder, runs_folder
from pipeline.config.rules import validate
from pipeline.config.schema import RunConfig
from pipeline.config.text import printable
from pipeline.kaggle.bundle import HASH, read_bundle
from pipeline.kaggle.calls import kernel_source
from pipeline.kaggle.client import Kaggle
from pipeline.records.atomic import atomic_write_json
from pipeline.records.readers import DamagedError, moment, read_record
from pipeline.records.run_folder import RunFolder

FETCH = "python -m pipeline fetch"  # what follows a push
KERNEL = re.compile(r"[\w-]+/[\w-]+", re.ASCII)
ADDRESS = re.compile(rf"https?:/+www\.kaggle\.com/code/({KERNEL.pattern})", re.ASCII)


@dataclass(frozen=True)
class Push:
    """What was pushed; push.json in the run's folder."""

    kernel: str
    """owner/slug."""
    version: int
    """0 if Kaggle did not say."""
    bundle_sha256: str
    """Those of two pushes of this program differ."""
    time: str
    """ISO 8601, UTC."""
    arrived: bool = True
    """Whether Kaggle has confirmed it."""
    status: str = ""
    """How it ended, as far as that was seen from here: Kaggle's word."""

    def __post_init__(self) -> None:
        """Refuse what no push writes: the record may have been made elsewhere."""
        if not KERNEL.fullmatch(self.kernel):
            raise ValueError("kernel is not owner/slug")
        if not HASH.fullmatch(self.bundle_sha256):
            raise ValueError("bundle_sha256 is none")
        moment(self.time)

    @property
    def url(self) -> str:
        """Where people see it."""
        return f"https://www.kaggle.com/code/{self.kernel}"

    @property
    def mark(self) -> str:
        """What distinguishes its source and its log from all others."""
        return f"'bundle_sha256': '{self.bundle_sha256}'"

    @property
    def age(self) -> float:
        """Seconds since then."""
        return (datetime.now(UTC) - moment(self.time)).total_seconds()


def fetch_command(folder: RunFolder) -> str:
    """What follows the kernel of a run's folder."""
    return f"{FETCH} {shlex.quote(str(folder.path))}"


def now() -> str:
    """The time, as a push records it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def new_folder(config: RunConfig, mark: str, pushed: Push) -> RunFolder:
    """A folder for what a kernel will leave, with its config and the record of its push; `mark` ends its name."""
    usual = RunFolder.of(config).path
    folder = RunFolder(make_folder(usual.with_name(f"{usual.name}-{mark}")))
    folder.write_config(replace(config, out=None))
    write_push(pushed, folder)
    return folder


def write_push(pushed: Push, folder: RunFolder) -> None:
    """Record a push in the run's folder."""
    atomic_write_json(folder.push, asdict(pushed))


def read_push(folder: RunFolder) -> Push:
    """The push that a run's folder records.

    Raises:
        UserError: there is none, or its record is damaged.
    """
    try:
        return read_record(folder.push, Push)
    except FileNotFoundError:
        raise UserError(f"{folder.path} was not pushed: it has no {folder.push.name}.") from None
    except DamagedError as error:
        raise UserError(f"{error}.") from None


def state(folder: RunFolder) -> str:
    """Where a run is that was pushed and not fetched, in words."""
    try:
        pushed = read_push(folder)
    except UserError:
        return f"{folder.push.name} is damaged"
    if not pushed.arrived:
        return "perhaps at Kaggle"
    return printable(f"at Kaggle: {pushed.status}") if pushed.status else "at Kaggle"


def find_push(path: Path | None) -> tuple[Push, RunFolder]:
    """The push that a run's folder records, or the latest one of all runs; and that folder.

    Raises:
        UserError: there is none, or its record is damaged.
    """
    if path is not None:
        return read_push(RunFolder(path)), RunFolder(path)
    found = _all_pushes()
    if not found:
        raise UserError(
            f"nothing was pushed from here: no {RunFolder(runs_folder() / '*').push}. Use the command push, or name a "
            "kernel: OWNER/SLUG."
        )
    return max(found, key=lambda each: moment(each[0].time))


def kernel_named(name: Path) -> str | None:
    """The kernel that a word names, by owner/slug or by its address; None if it may be a folder here."""
    if address := ADDRESS.match(name.as_posix()):
        return address[1]
    is_kernel = KERNEL.fullmatch(name.as_posix()) and not name.exists() and name.parent != runs_folder()
    return name.as_posix() if is_kernel else None


def adopt(kaggle: Kaggle, kernel: str) -> tuple[Push, RunFolder]:
    """Any kernel that was made from a bundle, whoever pushed it; and the folder that its run has or gets here.

    Raises:
        UserError: there is no such kernel, or it is none of this program's.
    """
    source, version = kernel_source(kaggle, kernel)
    config, bundle_sha256 = read_bundle(source, f"the source of {kernel}")
    validate(config)
    pushed = Push(kernel, version, bundle_sha256, now())
    for known, folder in _all_pushes():
        if (known.kernel, known.version, known.bundle_sha256) == (kernel, version, bundle_sha256):
            return known, folder
    mark = hashlib.sha256(f"{kernel} {version} {source}".encode(errors="replace")).hexdigest()[:8]
    return pushed, new_folder(replace(config, out=None), mark, pushed)


def _all_pushes() -> list[tuple[Push, RunFolder]]:
    """What was pushed from here, or fetched to here; warns of records that are damaged."""
    found = []
    for folder in (RunFolder(path) for path in sorted(runs_folder().glob("*/"))):
        if folder.push.exists():
            try:
                found.append((read_push(folder), folder))
            except UserError as error:
                print(f"WARNING: {printable(error)}", file=sys.stderr, flush=True)
    return found
