"""The command line: which command, which preset, and the preset's fields as flags derived by tyro."""

import sys
from collections.abc import Sequence

import tyro

from pipeline.config import RunConfig, RunError, UserError
from pipeline.presets import PRESETS, preset

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130

HELP = f"""\
usage: python -m pipeline run [PRESET] [--FIELD VALUE ...]

Load, augment, train ReLU and Swish networks, ensemble them, compare them, and write the predictions. The same command
again resumes a run that was interrupted, and repeats nothing that is finished.

presets (without one: sample):
{chr(10).join(f"  {name:<12} {about}" for name, (about, _) in PRESETS.items())}

python -m pipeline run PRESET --help lists the preset's fields, with their units and reasons.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 a mistake of the user, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except (RunError, OSError) as error:  # an OSError, such as a full disk, names its file
        print(f"error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command resumes from the last finished epoch", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run(arguments: list[str]) -> None:
    match arguments:
        case [] | ["-h" | "--help", *_]:
            print(HELP, end="")
        case ["run", *rest]:
            config = parse_run(rest)
            from pipeline.run import main as run  # 2 s of imports, which --help does not need

            run(config)
        case [command, *_]:
            raise UserError(f"unknown command {command!r}. Known: run. See python -m pipeline --help.")


def parse_run(arguments: list[str]) -> RunConfig:
    """The config that `run`'s arguments ask for: a preset's, with the fields that are overridden.

    Raises:
        UserError: an unknown preset.
        SystemExit: with code 2, an unknown field or a value of the wrong type, as tyro reports it; with 0, --help.
    """
    named = bool(arguments) and not arguments[0].startswith("-")
    name = arguments[0] if named else "sample"
    default = preset(name)
    return tyro.cli(
        RunConfig,
        prog=f"python -m pipeline run {name}",
        description=f"{name}: {PRESETS[name][0]}.",
        default=default,
        args=arguments[1:] if named else arguments,
    )
