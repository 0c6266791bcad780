"""The commands of `python -m pipeline`: the fields of each class are its flags, its docstring is its help.

Each imports what it needs itself: --help should not wait for it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from pipeline.arguments import Command
from pipeline.config.errors import StoppedError, UserError
from pipeline.config.schema import RunConfig

if TYPE_CHECKING:
    from pipeline.kaggle.client import Kaggle
    from pipeline.kaggle.pushes import Push as Pushed
    from pipeline.records.run_folder import RunFolder
    from pipeline.run import EngineStarter
RunFolders = tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN [RUN ...]")]]


@dataclass(frozen=True)
class Run:
    """Train, vote, compare, predict; given again, resume."""

    usage: ClassVar = "run [PRESET]"
    usual_preset: ClassVar = "sample"

    config: RunConfig
    labels: Path | None = None
    """Digits of the test images, as a CSV like a submission. They only ever judge: pairs, ensembles, the
    submission. Nothing is trained or selected on them."""

    def __call__(self) -> None:
        from pipeline.run import main as run

        ending = run(self.config, self.labels, start_engine=_engine_starter(self.config))
        if ending.stopped:
            raise StoppedError(ending.stopped)


@dataclass(frozen=True)
class Compare:
    """Compare the activations of runs, finished or not."""

    usage: ClassVar = "compare RUN ..."

    runs: RunFolders
    """The runs' folders; they may be half-finished. Or the folders of records, as --out writes them."""
    arms: tuple[str, ...] = ()
    """Activations to compare. By default all that the runs have."""
    out: Path | None = None
    """Where to write the record, in place of an earlier one: report.html, probabilities.npz and what they hold. By
    default runs/compare-DIGEST."""
    data: str | None = None
    """Where the runs' data is. By default where the first run found it."""
    labels: Path | None = None
    """Digits of the test images, as a CSV like a submission: networks are then compared on these images too."""

    def __call__(self) -> None:
        if not self.runs:
            raise UserError("compare needs at least one run's folder, such as runs/study-1a2b3c4d.")
        from pipeline.compare import compare_runs

        compare_runs(self.runs, self.out, self.data, self.arms, self.labels)


@dataclass(frozen=True)
class Blend:
    """Make one submission from the networks of several runs."""

    usage: ClassVar = "blend RUN RUN ..."

    runs: RunFolders
    """The runs' folders: of any architecture, trained here or fetched from Kaggle, on the same data."""
    out: Path | None = None
    """Where to write submission.csv and submission.json, in place of an earlier blend. By default runs/blend-DIGEST."""
    data: str | None = None
    """Where the runs' data is. By default where the first run found it."""

    def __call__(self) -> None:
        from pipeline.blend import blend_runs

        blend_runs(self.runs, self.out, self.data)


@dataclass(frozen=True)
class Runs:
    """List the runs and submissions on this machine."""

    usage: ClassVar = "runs"

    def __call__(self) -> None:
        from pipeline.report.terminal import new_console, show
        from pipeline.runs import list_runs, runs_screen

        if rows := list_runs():
            console = new_console()
            show(console, runs_screen(rows, console.width))
        else:
            print("no runs yet: python -m pipeline run")


@dataclass(frozen=True)
class Download:
    """Fetch the competition's data into data/."""

    usage: ClassVar = "download"

    def __call__(self) -> None:
        from pipeline.kaggle.download import download_data

        download_data()


@dataclass(frozen=True)
class Bundle:
    """Make build/kernel.py, the run as a Kaggle kernel."""

    usage: ClassVar = "bundle [PRESET]"
    usual_preset: ClassVar = "leaderboard"

    config: RunConfig

    def __call__(self) -> None:
        from pipeline.kaggle.push import make_bundle

        make_bundle(self.config)


@dataclass(frozen=True)
class Push:
    """Train on Kaggle: push the run as a kernel."""

    usage: ClassVar = "push [PRESET]"
    usual_preset: ClassVar = "leaderboard"

    config: RunConfig
    watch: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Follow its status and log to its end, then fetch its output into runs/."""
    submit: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """After that, submit the predictions and wait for the score. Implies --watch."""

    def __call__(self) -> None:
        from pipeline.ensemble.submission import make_room_for_copies
        from pipeline.kaggle.bundle import check_config
        from pipeline.kaggle.client import Kaggle
        from pipeline.kaggle.push import push
        from pipeline.kaggle.pushes import fetch_command
        from pipeline.kaggle.submit import submit_file

        check_config(self.config)  # before anybody is asked for a token
        make_room_for_copies()
        kaggle = Kaggle()
        pushed, folder = push(kaggle, self.config)
        if self.watch or self.submit:
            _follow(kaggle, pushed, folder)
        else:
            print(f"when it is complete: {fetch_command(folder)}")
        if self.submit:
            submit_file(kaggle, folder.path)


@dataclass(frozen=True)
class Fetch:
    """Follow the pushed kernel, and fetch its output."""

    usage: ClassVar = "fetch [RUN or KERNEL]"

    run: tyro.conf.Positional[Annotated[Path | None, tyro.conf.arg(metavar="[RUN or KERNEL]")]] = None
    """The run's folder under runs/, or a kernel that was made from a bundle. By default what was pushed last."""

    def __call__(self) -> None:
        from pipeline.ensemble.submission import make_room_for_copies
        from pipeline.kaggle.client import Kaggle
        from pipeline.kaggle.fetch import is_fetched
        from pipeline.kaggle.push import confirmed
        from pipeline.kaggle.pushes import adopt, find_push, kernel_named

        kaggle = None
        if self.run and (kernel := kernel_named(self.run)):
            kaggle = Kaggle()
            pushed, folder = adopt(kaggle, kernel)
        else:
            pushed, folder = find_push(self.run)
        if is_fetched(folder):
            print(f"{folder.path} has its output already")
            return
        make_room_for_copies()
        kaggle = kaggle or Kaggle()
        _follow(kaggle, confirmed(kaggle, pushed, folder), folder)


@dataclass(frozen=True)
class Submit:
    """Submit a run, a CSV or a kernel; wait for the score."""

    usage: ClassVar = "submit [RUN or CSV]"

    run: tyro.conf.Positional[Path | None] = None
    """A run's folder, or a CSV. By default the run that was finished last."""
    message: Annotated[str | None, tyro.conf.arg(aliases=["-m"])] = None
    """Description of the submission at Kaggle. By default the run's name and its config's digest."""
    kernel: Annotated[str | None, tyro.conf.arg(aliases=["-k"])] = None
    """owner/slug of a kernel whose output is submitted instead; with -v."""
    version: Annotated[int | None, tyro.conf.arg(aliases=["-v"], metavar="N")] = None
    """The kernel's version; with -k."""
    again: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Submit although the same predictions were submitted before."""

    def __call__(self) -> None:
        if (self.kernel is None) != (self.version is None) or (self.kernel is not None and self.run):
            raise UserError("name either a run or CSV, or a kernel by both -k OWNER/SLUG and -v VERSION.")
        if self.version is not None and self.version < 1:
            raise UserError(f"a kernel's versions begin at 1. Received: -v {self.version}")
        from pipeline.kaggle.client import Kaggle
        from pipeline.kaggle.submit import submit_file, submit_kernel
        from pipeline.runs import latest_finished

        if self.kernel is not None and self.version is not None:
            submit_kernel(Kaggle(), self.kernel, self.version, self.message, again=self.again)
        else:
            path = self.run or latest_finished()
            if not path.exists():
                raise UserError(f"{path} is not there. Name a run's folder or a CSV.")
            submit_file(Kaggle(), path, self.message, again=self.again)


HERE: tuple[type[Command], ...] = (Run, Compare, Blend, Runs)
AT_KAGGLE: tuple[type[Command], ...] = (Download, Bundle, Push, Fetch, Submit)
COMMANDS = {kind.usage.split()[0]: kind for kind in (*HERE, *AT_KAGGLE)}


def _engine_starter(config: RunConfig) -> "EngineStarter":
    """What trains the members of a run. Not chosen in run.py, so that no kernel carries the cluster along."""
    if config.engine == "ray":
        from pipeline.training.cluster import Cluster

        return lambda folder, _specs, config: Cluster(folder, config.ray_address)
    from pipeline.training.workers import start_workers

    return start_workers


def _follow(kaggle: "Kaggle", pushed: "Pushed", folder: "RunFolder") -> None:
    """Follow a kernel and keep the vote that it left, even one that failed: training the rest here overwrites it."""
    from pipeline.ensemble.submission import keep_copy_of
    from pipeline.kaggle.fetch import follow

    try:
        follow(kaggle, pushed, folder)
    finally:
        if folder.submission.exists():
            print(f"copy of the submission: {keep_copy_of(folder, folder.read_config().name)}")
