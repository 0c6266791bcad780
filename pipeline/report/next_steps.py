"""What to do next, as commands to copy."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.config.command import run_command
from pipeline.config.places import on_kaggle
from pipeline.config.schema import RunConfig
from pipeline.evidence.comparison import Comparison
from pipeline.evidence.intervals import FEWEST_PAIRS
from pipeline.evidence.verdict import Verdict
from pipeline.records.run_folder import RunFolder
from pipeline.report.answer import choose

COMMAND = "python -m pipeline"


@dataclass(frozen=True)
class Step:
    """A step and its commands, in their order."""

    why: str
    commands: list[str]


def next_steps(
    configs: Sequence[RunConfig], comparison: Comparison, folder: RunFolder | None, half_finished: bool
) -> list[Step]:
    """What to do after a run or a comparison of runs, the most urgent first.

    Args:
        configs: The runs' configs.
        comparison: What came out.
        folder: The folder with the submission; None if there is none.
        half_finished: Whether members are still to be trained.
    """
    steps = []
    if half_finished or comparison.failed:
        commands = [run_command(config) for config in configs]
        steps.append(Step("Train the missing networks (finished ones are kept)", commands))
    elif pairs := _pairs_missing(comparison):
        more = [replace(config, seeds=-(-pairs // max(config.folds_used, 1))) for config in configs]
        commands = [run_command(new) for new, old in zip(more, configs, strict=True) if new.seeds > old.seeds]
        if commands:
            steps.append(Step(f"To decide, train at least {pairs} pairs (finished networks are kept)", commands))
    if folder:
        steps.append(_submit(configs[0], folder))
    elif not half_finished:
        steps.append(Step("Train a submission with the strongest recipe", [f"{COMMAND} run leaderboard"]))
    return steps


def _pairs_missing(comparison: Comparison) -> int:
    """How many pairs it takes before anything can be decided; 0 if there are so many.

    No more are asked for than these: to add pairs until something shows would find differences where there are none.
    """
    _, others = choose(comparison)
    return FEWEST_PAIRS if any(s.verdict is Verdict.TOO_FEW_PAIRS for s in others) else 0


def _submit(config: RunConfig, folder: RunFolder) -> Step:
    if config.data == "sample":
        commands = [f"{COMMAND} download", f"{COMMAND} run leaderboard"]
        why = "To compete, get the competition's data (this is a sample of 5,000 digits) and train on it"
        return Step(why, commands)
    if on_kaggle():
        return Step("Fetch this from Kaggle and submit it", [f"{COMMAND} fetch", f"{COMMAND} submit"])
    return Step("Submit the predictions", [f"{COMMAND} submit {shlex.quote(folder.path.as_posix())}"])
