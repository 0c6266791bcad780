"""What each setting of a recipe does to the errors, over finished runs on the same validation rows."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from benchmarks.record import save, show
from pipeline.config.errors import UserError
from pipeline.config.schema import member_specs, settings
from pipeline.records.members import Member
from pipeline.records.opened_runs import OpenedRun, load_data, open_run
from pipeline.records.run_folder import RunFolder


@dataclass(frozen=True)
class Setting:
    """A run's networks on the validation rows; a column per arm."""

    name: str
    arms: tuple[str, ...]
    rows: NDArray[np.int64]
    """The validation rows."""
    recipe: dict[str, Any]
    errors: NDArray[np.bool_]
    """Shape (rows, arms)."""
    losses: NDArray[np.float64]
    """Log loss after temperature scaling, shape (rows, arms)."""
    vote_errors: NDArray[np.bool_]
    """Of the arms' mean probabilities, shape (rows,)."""


@dataclass(frozen=True)
class Screening:
    """Compare runs that differ in settings: errors and log loss of each, and the effect of every setting.

    There are effects where the runs are balanced: each setting takes two values, each in half of the runs and of either
    half by another setting. Settings that change together are one factor. The arms are replicates, so there must be two
    or more: they give the standard error, pooled over the factors.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of finished runs with the same arms and one validation fold, the same for all."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the record. By default build/benchmarks/screening.json."""

    def run(self) -> None:
        """Print and write both tables.

        Raises:
            UserError: no run, one without a single finished validation fold, or runs of other arms or another fold.
        """
        if not self.runs:
            raise UserError("screening needs at least one run's folder, such as runs/lr-2e-3.")
        settings = [read_setting(folder) for folder in self.runs]
        check_comparable(settings)
        rows = [row_of(setting) for setting in settings]
        show("settings", list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
        effects = effects_of(settings)
        if effects:
            show("effects", list(effects[0]), [[str(cell) for cell in row.values()] for row in effects])
        save("screening", self.out, {"settings": rows, "effects": effects})


def finished_members(run: Path) -> tuple[OpenedRun, list[tuple[Path, Member]]]:
    """A finished run and its members, each with its folder.

    Raises:
        UserError: the folder holds no run, or one that is not finished.
    """
    opened = open_run(RunFolder(run))
    members, missing = opened.members.among(member_specs(opened.config))
    if missing:
        raise UserError(f"{run} is not finished: {next(iter(missing.values()))}. Give its command again.")
    return opened, [(opened.folder.member(member.spec), member) for member in members]


def member_folders(runs: Sequence[Path]) -> Iterator[tuple[OpenedRun, Path, Member]]:
    """The members of finished runs, each with its run and its own folder.

    Raises:
        UserError: a folder holds no finished run, or one without validation rows.
    """
    for run in runs:
        opened, members = finished_members(run)
        if not opened.config.recipe.folds:
            raise UserError(f"{run} has no validation rows: it trained on all (folds is 0).")
        for folder, member in members:
            yield opened, folder, member


def read_setting(run: Path) -> Setting:
    """The networks of a finished run, scored on their validation rows.

    Raises:
        UserError: the folder holds no such run, or one of several seeds or folds.
    """
    runs, _, members = zip(*member_folders([run]), strict=True)
    config = runs[0].config
    if config.seeds != 1 or config.folds_used != 1:
        raise UserError(f"{run} has more than one network per arm: screen runs of one seed and one fold.")
    probabilities = np.stack([member.validation_probabilities for member in members], axis=1).astype(np.float64)
    labels = load_data(runs[:1], None).labels[members[0].validation_rows]
    return Setting(
        name=config.name,
        arms=config.arms,
        rows=members[0].validation_rows,
        recipe=settings(asdict(config.recipe)),
        errors=probabilities.argmax(axis=2) != labels[:, None],
        losses=np.stack([scaled_losses(probabilities[:, i], labels) for i in range(len(members))], axis=1),
        vote_errors=probabilities.mean(axis=1).argmax(axis=1) != labels,
    )


def check_comparable(settings: Sequence[Setting]) -> None:
    """Raise a UserError unless all runs have the arms and the validation rows of the first, and each is there once."""
    first, *others = settings
    for other in others:
        if other.arms != first.arms:
            raise UserError(
                f"the arms of {other.name} are {', '.join(other.arms)}, and those of {first.name} "
                f"{', '.join(first.arms)}: screen runs with the same arms."
            )
        if not np.array_equal(other.rows, first.rows):
            raise UserError(f"{other.name} and {first.name} validate on different rows: screen runs of the same fold.")
    names = [setting.name for setting in settings]
    if again := [name for name in names if names.count(name) > 1]:
        raise UserError(f"two runs are called {again[0]}: screen each run once, and give each its own --name.")


def scaled_losses(probabilities: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.float64]:
    """Log loss of each row after temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    The temperature that the even rows like best scales the odd ones, and the other way round.
    """
    logits = np.log(np.maximum(probabilities, 1e-30))
    losses = np.empty(len(labels))
    for part in (0, 1):
        theirs, ours = slice(1 - part, None, 2), slice(part, None, 2)
        best = minimize_scalar(
            lambda log_t, theirs=theirs: _losses(logits[theirs], labels[theirs], log_t).mean(),
            bounds=(-3, 3),
            method="bounded",
        )
        losses[ours] = _losses(logits[ours], labels[ours], best.x)
    return losses


def _losses(logits: NDArray[np.float64], labels: NDArray[Any], log_temperature: float) -> NDArray[np.float64]:
    scaled = logits / np.exp(log_temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    return np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]


def row_of(setting: Setting) -> dict[str, Any]:
    """A line of the first table."""
    return {
        "run": setting.name,
        "errors": setting.errors.sum(axis=0).tolist(),
        "of the vote": int(setting.vote_errors.sum()),
        "log loss, scaled": [round(loss, 5) for loss in setting.losses.mean(axis=0).tolist()],
        "rows": len(setting.errors),
    }


def effects_of(settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """The change in errors and in log loss when a factor goes from its first to its second value.

    None where it would be mixed with another factor's: each needs its two values in half of the runs, and each two
    factors all four combinations equally often. None with a single arm, which gives no standard error.
    """
    if len(settings[0].arms) < 2:
        return []
    factors: dict[tuple[bool, ...], list[str]] = {}
    for field, first in settings[0].recipe.items():
        values = [setting.recipe[field] for setting in settings]
        high = tuple(value != first for value in values)
        if not any(high):
            continue
        if len(set(map(repr, values))) != 2 or 2 * sum(high) != len(high):
            return []
        factors.setdefault(high, []).append(field)
    for one, other in combinations(factors, 2):
        if 4 * sum(map(all, zip(one, other, strict=True))) != len(one):
            return []
    effects = []
    errors = np.stack([setting.errors.sum(axis=0) for setting in settings]).astype(float)
    losses = np.stack([setting.losses.mean(axis=0) for setting in settings])
    for high, fields in factors.items():
        levels = np.array(high)
        second = settings[high.index(True)].recipe
        by_arm = [(table[levels].mean(axis=0) - table[~levels].mean(axis=0)) for table in (errors, losses)]
        effects.append((", ".join(f"{f} {settings[0].recipe[f]} > {second[f]}" for f in fields), *by_arm))
    # Half the difference of two arms' estimates has the standard error of their mean; for more arms, sd / sqrt(arms).
    pooled = [
        float(np.sqrt(np.mean([effect[i].var(ddof=1) / len(effect[i]) for effect in effects]))) if effects else 0.0
        for i in (1, 2)
    ]
    return [
        {
            "factor": name,
            "errors": round(float(by_errors.mean()), 2),
            "se of errors": round(pooled[0], 2),
            "log loss": round(float(by_losses.mean()), 5),
            "se of log loss": round(pooled[1], 5),
        }
        for name, by_errors, by_losses in effects
    ]
