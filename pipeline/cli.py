"""The command line: help, dispatch and exit codes."""

import sys
from collections.abc import Sequence
from contextlib import suppress

from pipeline.commands import COMMANDS
from pipeline.config.errors import RunError, StoppedError, UserError, suggest
from pipeline.config.presets import PRESETS
from pipeline.streams import tolerant_output

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130
STOPPED = 143

HELP = f"""\
usage: python -m pipeline COMMAND ...

Load, augment, train ReLU and Swish networks, ensemble them, compare them, and write the predictions.

here:
  run [PRESET] [--FIELD VALUE ...]                       train, compare, predict; again: resumes, repeats nothing
  compare RUN [RUN ...]                                  statistics over the pairs of one or more runs, finished or not
  blend RUN RUN [RUN ...]                                one submission from all networks of several runs
  runs                                                   the runs and submissions on this machine

at Kaggle (needs an API token):
  download                                               the competition's data, into data/
  bundle [PRESET] [--FIELD VALUE ...]                    build/kernel.py, for `kaggle kernels push`
  push [PRESET] [--watch] [--submit] [--FIELD VALUE ...] bundle and push; follow it and fetch the output; submit
  fetch [RUN]                                            follow the kernel that was pushed, and fetch its output
  submit [RUN or CSV] [-m TEXT]                          submit the predictions and wait for the score
  submit -k OWNER/SLUG -v VERSION                        the same with the output of a kernel's version

presets (without one: sample for run, leaderboard for bundle and push):
{chr(10).join(f"  {name:<20} {about}" for name, (about, _) in PRESETS.items())}

python -m pipeline COMMAND --help lists a command's flags; run PRESET --help the preset's fields with their units and
reasons.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit.

    0: done, also when --hours left members out. 1: failed. 2: a mistake of the user. 130: interrupted by Ctrl-C. 143: a
    run that SIGTERM asked to stop; the members that were finished have voted.

    Output that nobody takes does not count, unless the command does nothing but print.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with tolerant_output() as (stdout, _):
        code = _exit_code(arguments)
    failure = stdout.failure
    if failure and not isinstance(failure, BrokenPipeError):
        only_prints = arguments[:1] in ([], ["-h"], ["--help"], ["runs"])
        code = code or (FAILED if only_prints else 0)
        with suppress(OSError):
            print(f"the output is not complete: it could not be written ({failure.strerror})", file=sys.stderr)
    if code:
        sys.exit(code)


def _exit_code(arguments: list[str]) -> int:
    """Run a command, and say on stderr why it failed, if it did."""
    try:
        _dispatch(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except StoppedError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return STOPPED
    except (RunError, OSError) as error:  # an OSError, such as a full disk, names its file
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\ninterrupted; nothing that was finished is lost", file=sys.stderr)
        return INTERRUPTED
    return 0


def _dispatch(arguments: list[str]) -> None:
    match arguments:
        case [] | ["-h" | "--help", *_]:
            print(HELP, end="")
        case [command, *rest] if command in COMMANDS:
            COMMANDS[command](rest)
        case [command, *_]:
            raise UserError(f"unknown command {command!r}; {suggest(command, list(COMMANDS))}")
