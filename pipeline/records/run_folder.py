"""A run's folder: every file name in it, which run it belongs to, and which process works in it."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.config.config_json import from_json, to_json
from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, default_run_folder, make_folder
from pipeline.config.rules import validate
from pipeline.config.schema import MemberSpec, RunConfig, settings
from pipeline.config.text import encoding_fault
from pipeline.data.digits import Digits
from pipeline.records.atomic import atomic_replace, atomic_write_json, full_disk_named, remove_leftovers
from pipeline.records.readers import LARGEST_JSON, DamagedError, read_bytes, read_json

# Kaggle and its commands know these two by name.
SUBMISSION = "submission.csv"
RECEIPT = "kernel.json"


class _Inside:
    """A file or folder of that name in a run's folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: "RunFolder", _: type) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class RunFolder:
    """A run's folder."""

    path: Path
    config = _Inside("config.json")  # the config of the last command that ran here
    data = _Inside("data.json")  # source and SHA-256 of the data that the members were trained on
    environment = _Inside("environment.json")  # versions and hardware
    comparison = _Inside("comparison.json")  # all results of the comparison
    metrics = _Inside("metrics.csv")  # every epoch of every member
    probabilities = _Inside(
        "probabilities.npz"
    )  # what the networks of a comparison predicted, to repeat it without them
    report = _Inside("report.html")  # the report for people
    submission = _Inside(SUBMISSION)  # the predictions of the test images
    submission_record = _Inside("submission.json")  # what the submission was made of, and when
    push = _Inside("push.json")  # which kernel this run was pushed as, if it was
    receipt = _Inside(RECEIPT)  # what a kernel wrote, by name and SHA-256
    kernel_log = _Inside("kernel.log")  # what a kernel printed
    members = _Inside("members")  # the folders of the finished members
    all_checkpoints = _Inside("checkpoints")  # the checkpoints of the members that are not finished
    lock = _Inside(".lock")  # locked by the process that works in the folder
    owner = _Inside(".owner.json")  # which process that is

    @classmethod
    def of(cls, config: RunConfig) -> "RunFolder":
        """The folder that a config names, or the one that is named after its recipe."""
        return cls(default_run_folder(config))

    @property
    def is_blend(self) -> bool:
        """Whether a blend wrote the submission here."""
        return self.submission_record.exists() and not self.config.exists()

    def member(self, spec: MemberSpec) -> Path:
        """The folder of a finished member."""
        return self.members / spec.id

    def checkpoints(self, spec: MemberSpec) -> Path:
        """The folder of a member's checkpoints."""
        return self.all_checkpoints / spec.id

    def worker_log(self, worker: int) -> Path:
        """What a worker process and its libraries print."""
        return self.path / "logs" / f"worker-{worker}.log"

    @contextmanager
    def opened(self, config: RunConfig) -> Iterator[None]:
        """Make the folder, check that it holds no other recipe, and lock it within the block.

        Raises:
            UserError: it cannot be written, another process works in it, or it holds something else.
            RunError: the disk became full in the block.
        """
        is_run = self.lock.exists() or self.config.exists()
        visible = [path for path in self.path.glob("*") if not path.name.startswith(".")]  # the rest is a killed run's
        if visible and not is_run:
            raise UserError(f"the folder {self.path} is not empty and holds no run. Choose another with --out.")
        make_folder(self.path, CHOOSE_ANOTHER)
        try:
            lock = FileLock(self.lock).acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another run is at work in {self.path}: {self._owner()}. Let it finish, or choose another --out."
            ) from None
        with lock, full_disk_named(self.path):
            self._check_recipe(config)
            remove_leftovers(self.path)
            atomic_write_json(self.owner, {"pid": os.getpid(), "host": socket.gethostname()})
            try:
                yield
            finally:
                self.owner.unlink()

    def _owner(self) -> str:
        """Who works here, as far as that is known."""
        try:
            owner = read_json(self.owner)
            return f"process {owner['pid']} on {owner['host']}"
        except (FileNotFoundError, DamagedError, KeyError, TypeError):
            return "it does not say which process it is"

    def _check_recipe(self, config: RunConfig) -> None:
        """Check that the config here, if any, trains members in the same way; it may have fewer of them, or more."""
        if not self.config.exists():
            return
        theirs = self.read_config()
        if theirs.recipe == config.recipe:
            return
        there, now = settings(asdict(theirs.recipe)), settings(asdict(config.recipe))
        differences = [
            f"  - {name}: {there[name]!r} there, {now[name]!r} now" for name in now if now[name] != there[name]
        ]
        raise UserError(
            f"{self.path} holds a run with another config:\n"
            + "\n".join(differences)
            + "\nChoose another folder with --out, or use the same config."
        )

    def read_config(self) -> RunConfig:
        """The config of the run here.

        Raises:
            FileNotFoundError: there is none.
            UserError: it is damaged, of an earlier version, or cannot be run.
        """
        try:
            content = read_bytes(self.config, LARGEST_JSON)
        except DamagedError as error:
            raise UserError(f"{error}. Start a new run.") from None
        if fault := encoding_fault(content):
            raise UserError(f"{self.config} {fault}.")
        config = from_json(content.decode(), str(self.config))
        try:
            validate(config)
        except UserError as error:
            raise UserError(f"{self.config} is damaged: {error}\nMend it, or start a new run.") from None
        return config

    def read_data_digest(self) -> str:
        """SHA-256 of the data of the run here; see `Digits.digest`.

        Raises:
            FileNotFoundError: there is no record of it.
            UserError: the record is damaged.
        """
        return self._read_data()["sha256"]

    def _read_data(self) -> dict[str, str]:
        try:
            record = read_json(self.data)
            return {key: str(record[key]) for key in ("sha256", "source")}
        except (DamagedError, KeyError, TypeError):
            raise UserError(
                f"{self.data} is damaged, so nobody can tell which data the run used. Choose another folder, or, if "
                "you are sure that the data is the same, delete that file: networks of other data are never reused."
            ) from None

    def claim(self, config: RunConfig, digits: Digits) -> None:
        """Record the config and the data of a fresh run, or check that the data is the same as before.

        Raises:
            UserError: the run here used other data, or its record of it is damaged.
        """
        if self.data.exists():
            theirs = self._read_data()
            if theirs["sha256"] != digits.digest():
                raise UserError(
                    f"{self.path} holds a run on other data: {theirs['source']} there, {digits.source} now, and their "
                    "contents differ. Choose another folder with --out, or name the same data with --data."
                )
        else:
            atomic_write_json(self.data, {"sha256": digits.digest(), "source": digits.source})
        self.write_config(config)

    def write_config(self, config: RunConfig) -> None:
        """Record a config as the one of the run here."""
        with atomic_replace(self.config) as temporary:
            temporary.write_text(to_json(config))


def own_folder(path: Path, what: str, is_one: Callable[[RunFolder], bool]) -> RunFolder:
    """A folder for a blend or a comparison alone: new, empty, or that of an earlier one.

    Raises:
        UserError: it holds something else, such as a run; or it cannot be written.
    """
    target = RunFolder(make_folder(path, CHOOSE_ANOTHER))
    if not is_one(target) and any(not inside.name.startswith(".") for inside in path.iterdir()):
        raise UserError(f"the folder {path} is not empty and holds no {what}. Choose another with --out.")
    return target
