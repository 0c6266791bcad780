"""One function per command of `python -m pipeline`.

Each imports what it needs itself: --help should not wait for it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from pipeline.arguments import (
    BlendArguments,
    CompareArguments,
    FetchArguments,
    PushArguments,
    SubmitArguments,
    no_arguments,
    parse_preset,
    parse_run,
)
from pipeline.config.errors import RunError, StoppedError, UserError
from pipeline.config.schema import RunConfig

if TYPE_CHECKING:
    from pipeline.kaggle.client import Kaggle
    from pipeline.kaggle.push import Push
    from pipeline.records.run_folder import RunFolder
    from pipeline.run import EngineStarter


def _run(arguments: list[str]) -> None:
    wanted = parse_run(arguments)
    from pipeline.run import main as run

    _make_room_for_copies()
    ending = run(wanted.config, wanted.labels, start_engine=_engine_starter(wanted.config))
    _keep(ending.folder.submission, wanted.config.name)
    if ending.stopped:
        raise StoppedError(ending.stopped)


def _make_room_for_copies() -> None:
    """Make submissions/, or say why that cannot be: before hours of work, not after."""
    from pipeline.config.places import make_folder, submissions_folder

    make_folder(submissions_folder())


def _keep(submission: Path, name: str) -> None:
    """Copy a submission into submissions/, where no later run or blend overwrites it."""
    from pipeline.config.places import submissions_folder
    from pipeline.kaggle.submission_log import keep_copy

    try:
        copy = keep_copy(submission.read_bytes(), name)
    except (OSError, RunError, UserError) as error:
        raise RunError(f"{submission} is whole, but could not be copied to {submissions_folder()}/: {error}") from None
    print(f"copy of the submission: {copy}")


def _engine_starter(config: RunConfig) -> "EngineStarter":
    """What trains the members of a run. Not chosen in run.py, so that no kernel carries the cluster along."""
    if config.engine == "ray":
        from pipeline.training.cluster import Cluster

        return lambda folder, _specs, config: Cluster(folder, config.ray_address)
    from pipeline.training.workers import start_workers

    return start_workers


def _bundle(arguments: list[str]) -> None:
    config = parse_preset("bundle", arguments, "leaderboard", RunConfig, lambda default: default)
    from pipeline.kaggle.bundle import BUNDLE, write_bundle
    from pipeline.kaggle.client import Kaggle
    from pipeline.kaggle.metadata import METADATA, PLACEHOLDER, fill_owner, read_metadata

    metadata = read_metadata()
    write_bundle(config, accelerator=metadata.accelerator)
    print(f"{BUNDLE}: {config.name}, {BUNDLE.stat().st_size:,} bytes")
    if not metadata.has_owner:
        try:
            metadata = fill_owner(metadata, Kaggle().user)
        except (UserError, RunError) as error:
            print(f"{METADATA} still has {PLACEHOLDER} where your Kaggle user name belongs: {error}")
            return
    print(f"{METADATA}: {metadata.id}\nnow: kaggle kernels push")


def _push(arguments: list[str]) -> None:
    wanted = parse_preset("push", arguments, "leaderboard", PushArguments, PushArguments)
    from pipeline.kaggle.client import Kaggle
    from pipeline.kaggle.push import FETCH, push
    from pipeline.kaggle.submit import submit_file

    _make_room_for_copies()
    kaggle = Kaggle()
    pushed, folder = push(kaggle, wanted.config)
    if wanted.watch or wanted.submit:
        _follow(kaggle, pushed, folder)
    else:
        print(f"when it is complete: {FETCH}")
    if wanted.submit:
        submit_file(kaggle, folder.path)


def _follow(kaggle: "Kaggle", pushed: "Push", folder: "RunFolder") -> None:
    """Follow a kernel and keep the vote that it left, even one that failed: training the rest here overwrites it."""
    from pipeline.kaggle.fetch import follow

    try:
        follow(kaggle, pushed, folder)
    finally:
        if folder.submission.exists():
            _keep(folder.submission, folder.read_config(complete=False).name)


def _fetch(arguments: list[str]) -> None:
    wanted = tyro.cli(FetchArguments, prog="python -m pipeline fetch", args=arguments)
    from pipeline.kaggle.client import Kaggle
    from pipeline.kaggle.fetch import is_fetched
    from pipeline.kaggle.push import confirmed, find_push

    pushed, folder = find_push(wanted.run)
    if is_fetched(folder):
        print(f"{folder.path} has its output already")
        return
    _make_room_for_copies()
    kaggle = Kaggle()
    _follow(kaggle, confirmed(kaggle, pushed, folder), folder)


def _submit(arguments: list[str]) -> None:
    wanted = tyro.cli(SubmitArguments, prog="python -m pipeline submit", args=arguments)
    if (wanted.kernel is None) != (wanted.version is None) or (wanted.kernel and wanted.run):
        raise UserError("name either a run or CSV, or a kernel by both -k OWNER/SLUG and -v VERSION.")
    from pipeline.kaggle.client import Kaggle
    from pipeline.kaggle.submit import submit_file, submit_kernel
    from pipeline.runs import latest_finished

    if wanted.kernel and wanted.version is not None:
        submit_kernel(Kaggle(), wanted.kernel, wanted.version, wanted.message, again=wanted.again)
    else:
        path = wanted.run or latest_finished()
        submit_file(Kaggle(), path, wanted.message, again=wanted.again)


def _download(arguments: list[str]) -> None:
    no_arguments("download", "Fetch the competition's data into data/, or what is missing of it.", arguments)
    from pipeline.kaggle.download import download_data

    download_data()


def _compare(arguments: list[str]) -> None:
    wanted = tyro.cli(CompareArguments, prog="python -m pipeline compare", args=arguments)
    if not wanted.runs:
        raise UserError("compare needs at least one run's folder, such as runs/study-1a2b3c4d.")
    from pipeline.compare import compare_runs

    compare_runs(wanted.runs, wanted.out, wanted.data, wanted.arms, wanted.labels)


def _blend(arguments: list[str]) -> None:
    wanted = tyro.cli(BlendArguments, prog="python -m pipeline blend", args=arguments)
    from pipeline.blend import blend_runs

    _make_room_for_copies()
    folder = blend_runs(wanted.runs, wanted.out, wanted.data)
    _keep(folder.submission, folder.path.absolute().name)


def _runs(arguments: list[str]) -> None:
    no_arguments("runs", "List the runs under runs/ and all submissions, newest first.", arguments)
    from pipeline.report.terminal import new_console
    from pipeline.runs import list_runs, runs_table

    if rows := list_runs():
        new_console().print(runs_table(rows))
    else:
        print("no runs yet: python -m pipeline run")


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "run": _run,
    "compare": _compare,
    "blend": _blend,
    "runs": _runs,
    "download": _download,
    "bundle": _bundle,
    "push": _push,
    "fetch": _fetch,
    "submit": _submit,
}
