"""What was trained, on what and when, in a few words each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from pipeline.config.schema import Recipe, RunConfig
from pipeline.data.digits import Digits
from pipeline.evidence.comparison import Comparison
from pipeline.records.members import Member, group_by_arm


def facts(
    configs: Sequence[RunConfig],
    digits: Digits,
    members: Sequence[Member],
    comparison: Comparison,
    written: datetime,
) -> dict[str, str]:
    """Names and values, in the order of their interest; values of several runs are joined where they differ."""
    pairs = {len(result.points) for result in comparison.paired}
    seeds = {member.spec.seed for member in members}
    return {
        "Written": f"{written:%Y-%m-%d %H:%M} UTC",
        "Data": f"{digits.source}: {len(digits.labels):,} images labelled{_unlabelled(digits)}",
        "Network": _joined_values(_network_words(config.recipe) for config in configs),
        "Networks trained": ", ".join(f"{len(group)} {arm}" for arm, group in group_by_arm(members).items()),
        "Pairs": " or ".join(map(str, sorted(pairs))) if pairs else "none",
        "Seeds": _numbers(seeds),
        "Folds": _joined_values(_folds(config) for config in configs),
        "Training time": f"{_duration(sum(r['seconds'] for m in members for r in m.history))}, all networks together",
        "Precision": environment(members).get("precision", "not recorded"),
        "Device": environment(members).get("device", "not recorded"),
        "Speed": f"{_images_per_second(digits, members):,.0f} images per second and network",
    }


def _images_per_second(digits: Digits, members: Sequence[Member]) -> float:
    """Training images per second of a network, the median over all epochs but the first ones."""
    rates = []
    for member in members:
        batch = member.spec.recipe.train.batch_size
        images = (len(digits.labels) - len(member.validation_rows)) // batch * batch
        rates += [images / seconds for seconds in member.seconds_per_epoch]
    return median(rates)


def environment(members: Sequence[Member]) -> dict[str, str]:
    """Versions and hardware that members were trained with; what differs between them is joined."""
    keys = dict.fromkeys(key for member in members for key in member.environment)
    return {key: _joined_values(m.environment[key] for m in members if key in m.environment) for key in keys}


def machines(members: Sequence[Member]) -> dict[str, Any]:
    """Versions and hardware as environment.json has them: the first member's, and those of each node of a cluster."""
    nodes = {member.environment["node"]: member.environment for member in members if "node" in member.environment}
    return {**members[0].environment, **({"nodes": [*nodes.values()]} if nodes else {})}


def _joined_values(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _unlabelled(digits: Digits) -> str:
    count = len(digits.image_ids)
    return f", {count:,} to predict" if count else ""


def _network_words(recipe: Recipe) -> str:
    width, train = f", width {recipe.width}" if recipe.width != 1 else "", recipe.train
    epochs = f"{train.epochs} epoch{'s' if train.epochs != 1 else ''}"
    return f"{recipe.architecture}{width}, {epochs} of {train.optimizer} ({train.schedule})"


def _folds(config: RunConfig) -> str:
    folds = config.recipe.folds
    if not folds:
        return "none: trained on all labelled images"
    if config.folds_used == folds:
        return f"{folds}, each validated on once"
    return f"{config.folds_used} of {folds} validated on"


def _numbers(numbers: Iterable[int]) -> str:
    """Such as "0 to 4"."""
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if not minutes:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
