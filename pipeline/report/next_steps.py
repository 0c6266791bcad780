"""What to do next, as commands to copy, each with the time that it takes here."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.config.command import run_command
from pipeline.config.places import on_kaggle
from pipeline.config.presets import preset
from pipeline.config.schema import Architecture, Recipe, RunConfig, member_specs
from pipeline.records.run_folder import RunFolder
from pipeline.report.words import duration

COMMAND = "python -m pipeline"
TOKEN = "needs a Kaggle token, docs/kaggle.md"
STRONGEST = "leaderboard"
TRAINING_IMAGES = 42_000  # of the competition
START = 15  # seconds until the first step, and for vote and report
# Time per image in multiples of deotte's, width 1: from the minutes of a Zen 4 in README and docs/score.md.
WORK: dict[Architecture, float] = {"ghouzam": 1.2, "deotte": 1.0, "residual": 3.6}
# Of the vote of one ReLU and one Swish network, out of fold on all 42,000 digits: docs/score.md, README.
OUT_OF_FOLD = {"original": 0.9953, "quick": 0.9951, "leaderboard": 0.9962}


@dataclass(frozen=True)
class Pace:
    """How fast a machine trains."""

    images_per_second: float
    """With all networks that train at a time."""
    recipe: Recipe
    """Of the networks that it was measured with."""
    is_lowest: bool = False
    """Whether the machine may be faster: it was measured with a single network."""

    def time_of(self, config: RunConfig, images: int, networks: int | None = None) -> str:
        """About how long it takes to train a run's networks, on so many labelled images."""
        recipe = config.recipe
        per_epoch = images * (1 - 1 / recipe.folds if recipe.folds else 1)
        epochs = recipe.train.epochs * (len(member_specs(config)) if networks is None else networks)
        seconds = epochs * per_epoch * _work(recipe) / (_work(self.recipe) * self.images_per_second)
        return f"{'at most' if self.is_lowest else 'about'} {duration(seconds + START)} here"


def _work(recipe: Recipe) -> float:
    return WORK[recipe.architecture] * recipe.width**2


@dataclass(frozen=True)
class Step:
    """A step and its commands, in their order, each with a remark or none."""

    why: str
    commands: list[tuple[str, str]]


def out_of_fold_accuracy(recipe: Recipe) -> float | None:
    """What the vote of two networks of that recipe reached out of fold; None where nobody measured it."""

    def plain(recipe: Recipe) -> Recipe:
        return replace(recipe, folds=0, split_seed=0)

    found = [OUT_OF_FOLD[name] for name in OUT_OF_FOLD if plain(preset(name).recipe) == plain(recipe)]
    return found[0] if found else None


def next_steps(
    config: RunConfig, folder: RunFolder, pace: Pace, *, images: int, missing: int = 0, is_doubtful: bool = False
) -> list[Step]:
    """What to do after a run, the most urgent first.

    Nothing is proposed to decide between activations: to add pairs until something shows would find what is not there.

    Args:
        config: The run's.
        folder: Its folder, with the submission.
        pace: How fast this machine trains.
        images: How many are labelled.
        missing: Networks that are still to be trained.
        is_doubtful: Whether the predictions are such that nobody should send them.
    """
    steps = []
    if missing:
        remark = pace.time_of(config, images, missing)
        steps.append(Step("train what is missing (finished networks are kept)", [(run_command(config), remark)]))
    if config.data == "sample":
        quick = _training(preset("quick"), "quick", pace, TRAINING_IMAGES)
        return [
            *steps,
            Step(f"to compete ({TOKEN})", [(f"{COMMAND} download", ""), quick, (f"{COMMAND} submit", "")]),
        ]
    if not is_doubtful:
        send = [f"{COMMAND} fetch", f"{COMMAND} submit"] if on_kaggle() else [_submit(folder)]
        steps.append(Step(f"to learn its score ({TOKEN})", [(command, "") for command in send]))
    if not missing and not on_kaggle() and out_of_fold_accuracy(config.recipe) != OUT_OF_FOLD[STRONGEST]:
        better = replace(preset(STRONGEST), seeds=1, data=config.data)
        steps.append(Step("for a better one", [_training(better, STRONGEST, pace, images)]))
    return steps


def _training(config: RunConfig, name: str, pace: Pace, images: int) -> tuple[str, str]:
    """The command that trains a preset, or a part of it, with its time here and what it reached."""
    return run_command(config), f"{pace.time_of(config, images)}; accuracy about {OUT_OF_FOLD[name]:.3f}"


def _submit(folder: RunFolder) -> str:
    return f"{COMMAND} submit {shlex.quote(folder.path.as_posix())}"


def blend_steps(folder: RunFolder, is_sample: bool, better: Sequence[str]) -> list[Step]:
    """What to do after a blend; `better` are the folders of the runs without those that make it worse, if there are."""
    if is_sample:
        return [Step(f"to compete ({TOKEN})", [(f"{COMMAND} download", ""), (f"{COMMAND} run quick", "")])]
    steps = []
    if better:
        command = "blend" if len(better) > 1 else "submit"
        steps.append(Step("without what makes it worse", [(f"{COMMAND} {command} {shlex.join(better)}", "")]))
    return [*steps, Step(f"to learn its score ({TOKEN})", [(_submit(folder), "")])]
