"""The command line: one command a function; their flags, and a preset's fields, derived by tyro from dataclasses."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from pipeline.config import RunConfig, RunError, UserError, suggest
from pipeline.presets import PRESETS, preset

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130
LOG_WIDTH = 160  # columns of a table, where there is no terminal to ask

Arguments = TypeVar("Arguments")

HELP = f"""\
usage: python -m pipeline COMMAND ...

Load, augment, train ReLU and Swish networks, ensemble them, compare them, and write the predictions.

here:
  run [PRESET] [--FIELD VALUE ...]                       train, compare, predict; again: resumes, repeats nothing
  compare RUN [RUN ...]                                  statistics over the pairs of one or more runs, finished or not
  runs                                                   the runs and submissions on this machine

at Kaggle (needs an API token):
  download                                               the competition's data, into data/
  bundle [PRESET] [--FIELD VALUE ...]                    build/kernel.py, for `kaggle kernels push`
  push [PRESET] [--watch] [--submit] [--FIELD VALUE ...] bundle and push; follow it and fetch the output; submit
  fetch [RUN]                                            follow the kernel that was pushed, and fetch its output
  submit [RUN or CSV] [-m TEXT]                          submit the predictions and wait for the score
  submit -k OWNER/SLUG -v VERSION                        the same with the output of a kernel's version

presets (without one: sample for run, leaderboard for bundle and push):
{chr(10).join(f"  {name:<12} {about}" for name, (about, _) in PRESETS.items())}

python -m pipeline COMMAND --help lists a command's flags; run PRESET --help the preset's fields with their units and
reasons.
"""


@dataclass(frozen=True)
class PushArguments:
    """Bundle a preset's run, push it as a kernel, and print the kernel's address."""

    config: Annotated[RunConfig, tyro.conf.arg(name="")]
    watch: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Follow its status and log to its end, then fetch its output into runs/."""
    submit: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """After that, submit the predictions and wait for the score. Implies --watch."""


@dataclass(frozen=True)
class CompareArguments:
    """Compare the arms of one or more runs, pair by pair, with intervals and tests; write a report."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """The runs' folders. They may be half-finished."""
    out: Path | None = None
    """Where to write comparison.json and report.html. By default runs/compare-DIGEST."""
    data: str | None = None
    """Where the runs' data is. By default where the first run found it."""


@dataclass(frozen=True)
class FetchArguments:
    """Follow a kernel that was pushed from here to its end, and fetch its output."""

    run: tyro.conf.Positional[Path | None] = None
    """The run's folder under runs/. By default the one that was pushed last."""


@dataclass(frozen=True)
class SubmitArguments:
    """Check predictions, submit them, wait for the score, and log it in submissions/log.jsonl."""

    run: tyro.conf.Positional[Path | None] = None
    """A run's folder, or a CSV. By default the run that was finished last."""
    message: Annotated[str | None, tyro.conf.arg(aliases=["-m"])] = None
    """Description of the submission at Kaggle. By default the run's name and its config's digest."""
    kernel: Annotated[str | None, tyro.conf.arg(aliases=["-k"])] = None
    """owner/slug of a kernel whose output is submitted instead."""
    version: Annotated[int | None, tyro.conf.arg(aliases=["-v"])] = None
    """The kernel's version."""
    again: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Submit although the same predictions were submitted before."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 a mistake of the user, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _dispatch(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except (RunError, OSError) as error:  # an OSError, such as a full disk, names its file
        print(f"error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print("\ninterrupted; nothing that was finished is lost", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _dispatch(arguments: list[str]) -> None:
    match arguments:
        case [] | ["-h" | "--help", *_]:
            print(HELP, end="")
        case [command, *rest] if command in COMMANDS:
            COMMANDS[command](rest)
        case [command, *_]:
            raise UserError(f"unknown command {command!r}; {suggest(command, list(COMMANDS))}")


# The commands import what they need themselves: --help should not wait for it.


def _run(arguments: list[str]) -> None:
    config = parse_run(arguments)
    from pipeline.paths import make_folder, submissions_folder
    from pipeline.run import SUBMISSION
    from pipeline.run import main as run
    from pipeline.submission_log import keep_copy

    make_folder(submissions_folder())  # before hours of training, not after
    folder = run(config)
    print(f"copy of the submission: {keep_copy(folder / SUBMISSION, config.name)}")


def _bundle(arguments: list[str]) -> None:
    config = _parse_preset("bundle", arguments, "leaderboard", RunConfig, lambda default: default)
    from pipeline.bundle import BUNDLE, write_bundle
    from pipeline.kaggle_api import Kaggle
    from pipeline.kernel_metadata import METADATA, PLACEHOLDER, fill_owner, read_metadata

    metadata = read_metadata()
    write_bundle(config)
    print(f"{BUNDLE}: {config.name}, {BUNDLE.stat().st_size:,} bytes")
    if not metadata.has_owner:
        try:
            metadata = fill_owner(metadata, Kaggle().user)
        except (UserError, RunError) as error:
            print(f"{METADATA} still has {PLACEHOLDER} where your Kaggle user name belongs: {error}")
            return
    print(f"{METADATA}: {metadata.id}\nnow: kaggle kernels push")


def _push(arguments: list[str]) -> None:
    wanted = _parse_preset("push", arguments, "leaderboard", PushArguments, PushArguments)
    from pipeline.kaggle_api import Kaggle
    from pipeline.kernels import fetch, push, watch
    from pipeline.submit import submit_file

    kaggle = Kaggle()
    pushed, folder = push(kaggle, wanted.config)
    if wanted.watch or wanted.submit:
        watch(kaggle, pushed)
        fetch(kaggle, pushed, folder)
    else:
        print("when it is complete: python -m pipeline fetch")
    if wanted.submit:
        submit_file(kaggle, folder)


def _fetch(arguments: list[str]) -> None:
    wanted = tyro.cli(FetchArguments, prog="python -m pipeline fetch", args=arguments)
    from pipeline.kaggle_api import Kaggle
    from pipeline.kernels import fetch, find_push, is_fetched, watch

    pushed, folder = find_push(wanted.run)
    if is_fetched(folder):
        print(f"{folder} has its output already")
        return
    kaggle = Kaggle()
    watch(kaggle, pushed)
    fetch(kaggle, pushed, folder)


def _submit(arguments: list[str]) -> None:
    wanted = tyro.cli(SubmitArguments, prog="python -m pipeline submit", args=arguments)
    if (wanted.kernel is None) != (wanted.version is None) or (wanted.kernel and wanted.run):
        raise UserError("name either a run or CSV, or a kernel by both -k OWNER/SLUG and -v VERSION.")
    from pipeline.kaggle_api import Kaggle
    from pipeline.runs import latest_finished
    from pipeline.submit import submit_file, submit_kernel

    if wanted.kernel and wanted.version is not None:
        submit_kernel(Kaggle(), wanted.kernel, wanted.version, wanted.message, again=wanted.again)
    else:
        path = wanted.run or latest_finished()
        submit_file(Kaggle(), path, wanted.message, again=wanted.again)


def _download(arguments: list[str]) -> None:
    _no_arguments("download", "Fetch the competition's data into data/, or what is missing of it.", arguments)
    from pipeline.download import download_data

    download_data()


def _compare(arguments: list[str]) -> None:
    wanted = tyro.cli(CompareArguments, prog="python -m pipeline compare", args=arguments)
    if not wanted.runs:
        raise UserError("compare needs at least one run's folder, such as runs/study-1a2b3c4d.")
    from rich.console import Console

    from pipeline.compare_runs import compare_runs

    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else LOG_WIDTH)
    compare_runs(wanted.runs, wanted.out, wanted.data, console)


def _runs(arguments: list[str]) -> None:
    _no_arguments("runs", "List the runs under runs/ and all submissions, newest first.", arguments)
    from rich.console import Console

    from pipeline.runs import list_runs, runs_table

    if rows := list_runs():
        Console(width=None if sys.stdout.isatty() else LOG_WIDTH).print(runs_table(rows))
    else:
        print("no runs yet: python -m pipeline run")


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "run": _run,
    "compare": _compare,
    "runs": _runs,
    "download": _download,
    "bundle": _bundle,
    "push": _push,
    "fetch": _fetch,
    "submit": _submit,
}


def parse_run(arguments: list[str]) -> RunConfig:
    """The config that `run`'s arguments ask for: a preset's, with the fields that are overridden.

    Raises:
        UserError: an unknown preset.
        SystemExit: with code 2, an unknown field or a value of the wrong type, as tyro reports it; with 0, --help.
    """
    return _parse_preset("run", arguments, "sample", RunConfig, lambda default: default)


def _parse_preset(
    command: str,
    arguments: list[str],
    usual: str,
    kind: type[Arguments],
    defaults: Callable[[RunConfig], Arguments],
) -> Arguments:
    """A command's arguments whose first may name a preset, which the rest overrides."""
    named = bool(arguments) and not arguments[0].startswith("-")
    name = arguments[0] if named else usual
    default = defaults(preset(name))
    return tyro.cli(
        kind,
        prog=f"python -m pipeline {command} {name}",
        description=f"{name}: {PRESETS[name][0]}.",
        default=default,
        args=arguments[1:] if named else arguments,
    )


def _no_arguments(command: str, description: str, arguments: list[str]) -> None:
    """Show a command's help, or complain about arguments that it does not have."""

    def nothing() -> None:
        pass

    tyro.cli(nothing, prog=f"python -m pipeline {command}", description=description, args=arguments)
