"""What each command takes: flags derived by tyro from dataclasses, a preset's fields among them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import tyro

from pipeline.config.presets import PRESETS, preset
from pipeline.config.schema import RunConfig

Arguments = TypeVar("Arguments")


@dataclass(frozen=True)
class RunArguments:
    """Train, vote, compare, and write the submission and the report."""

    config: Annotated[RunConfig, tyro.conf.arg(name="")]
    labels: Path | None = None
    """Digits of the test images, as a CSV like a submission. They only ever judge: pairs, ensembles, weights, the
    submission. Nothing is trained or selected on them."""


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
    """The runs' folders; they may be half-finished. Or the folder of a record, as --out writes it."""
    arms: tuple[str, ...] = ()
    """Activations to compare. By default all that the runs have."""
    out: Path | None = None
    """Where to write the record: report.html, comparison.json, metrics.csv and probabilities.npz. By default
    runs/compare-DIGEST."""
    data: str | None = None
    """Where the runs' data is. By default where the first run found it."""
    labels: Path | None = None
    """Digits of the test images, as a CSV like a submission: networks are then compared on these images too."""


@dataclass(frozen=True)
class BlendArguments:
    """Let the networks of several runs vote together, and write their submission."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """The runs' folders: of any architecture, trained here or fetched from Kaggle, on the same data."""
    out: Path | None = None
    """Where to write submission.csv and blend.json, in place of an earlier blend. By default runs/blend-DIGEST."""
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


def parse_run(arguments: list[str]) -> RunArguments:
    """What `run`'s arguments ask for: a preset's config, with the fields that are overridden, and labels.

    Raises:
        UserError: an unknown preset.
        SystemExit: with code 2, an unknown field or a value of the wrong type, as tyro reports it; with 0, --help.
    """
    return parse_preset("run", arguments, "sample", RunArguments, RunArguments)


def parse_preset(
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


def no_arguments(command: str, description: str, arguments: list[str]) -> None:
    """Show a command's help, or complain about arguments that it does not have."""

    def nothing() -> None:
        pass

    tyro.cli(nothing, prog=f"python -m pipeline {command}", description=description, args=arguments)
