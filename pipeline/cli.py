"""The command line: overview, dispatch and exit codes."""

import os
import platform
import shlex
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pipeline.arguments import Command, read_command, summary
from pipeline.commands import AT_KAGGLE, COMMANDS, HERE
from pipeline.config.errors import RunError, StoppedError, UserError, suggest
from pipeline.config.presets import PRESETS
from pipeline.config.text import printable
from pipeline.streams import tolerant_output

VERSION = "0.2.0"
OTHER_WORDS = {
    "run": "train fit start resume predict", "compare": "stats report diff", "blend": "vote ensemble merge",
    "runs": "list ls status history log", "download": "get data", "bundle": "build kernel", "push": "upload kaggle",
    "fetch": "pull watch output", "submit": "send score",
}  # fmt: skip

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130
STOPPED = 143


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit.

    0: done, also when --hours left members out. 1: failed. 2: a mistake of the user. 130: interrupted by Ctrl-C. 143: a
    run that SIGTERM asked to stop; the members that were finished have voted.

    Output that nobody takes does not count, unless the command does nothing but print.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # A notebook's backend, inherited, may not be installed here; a matplotlibrc that is broken ends its import.
    os.environ |= {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    with tolerant_output() as stdout:
        code = _exit_code(arguments)
    failure = stdout.failure
    if failure and not isinstance(failure, BrokenPipeError):
        only_prints = not set(arguments[:1]) - {"runs", "-h", "--help", "help", "-V", "--version", "version"}
        code = code or (FAILED if only_prints else 0)
        with suppress(OSError):
            print(f"the output is not complete: it could not be written ({failure.strerror})", file=sys.stderr)
    if code:
        sys.exit(code)


def _exit_code(arguments: list[str]) -> int:
    """Run a command, and say on stderr why it failed, if it did."""
    try:
        _dispatch(arguments)
    except (UserError, RunError, OSError) as error:  # an OSError, such as a full disk, names its file
        print(f"{'stopped' if isinstance(error, StoppedError) else 'error'}: {printable(error)}", file=sys.stderr)
        return USER_ERROR if isinstance(error, UserError) else STOPPED if isinstance(error, StoppedError) else FAILED
    except KeyboardInterrupt:
        # The two that send something say themselves how to go on: to give them again may send it again.
        resumes = arguments[:1] not in (["push"], ["submit"])
        how = "; nothing that was finished is lost: rerun the same command to resume" if resumes else ""
        print(f"\ninterrupted{how}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _dispatch(arguments: list[str]) -> None:
    match arguments:
        case [] | ["-h" | "--help" | "--help-all"] | ["help"]:
            print(overview(), end="")
        case ["-V" | "--version" | "version"]:
            print(versions())
        case ["-h" | "--help" | "--help-all" | "help", name, *_]:
            read(name, ["--help"])
        case [name, *words]:
            read(name, words)()


def read(name: str, words: Sequence[str]) -> Command:
    """The command of that name, with its flags.

    Raises:
        UserError: an unknown command, preset or flag.
        SystemExit: as `read_command`.
    """
    if name in COMMANDS:
        return read_command(COMMANDS[name], words)
    if name in PRESETS or name.startswith("-"):
        raise UserError(f"a command comes first, such as run: python -m pipeline run {shlex.join([name, *words])}")
    meant = next((command for command, words in OTHER_WORDS.items() if name.lower() in words.split()), name)
    raise UserError(f"unknown command {name!r}; {suggest(meant, list(COMMANDS))}")


def versions() -> str:
    """The versions of this program and of what it computes with."""
    from pipeline.device.host import installed_version

    packages = ", ".join(f"{package} {installed_version(package)}" for package in ("tensorflow", "jax", "keras"))
    return f"pipeline {VERSION}, Python {platform.python_version()}, {packages}"


def overview() -> str:
    """All commands and presets, in lines of at most 80 characters."""
    presets = {name: about for name, (about, _) in PRESETS.items()}
    return f"""\
usage: python -m pipeline COMMAND ...

Load, augment, train ReLU and Swish networks, let them vote, compare them, and
write the predictions.

here:
{_table({kind.usage: summary(kind) for kind in HERE})}

at Kaggle (needs an API token):
{_table({kind.usage: summary(kind) for kind in AT_KAGGLE})}

presets (without one: sample for run, leaderboard for bundle and push):
{_table(presets)}

python -m pipeline COMMAND --help lists a command's flags; run PRESET --help the
preset's fields with their units and reasons.
"""


def _table(rows: Mapping[str, str]) -> str:
    """Words and what they mean, in two columns."""
    return "\n".join(
        textwrap.fill(f"{name:<21} {text}", 80, initial_indent="  ", subsequent_indent=" " * 24)
        for name, text in rows.items()
    )
