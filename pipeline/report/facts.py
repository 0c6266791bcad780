"""What was trained, on what and when, in a few words each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pipeline.config.schema import RunConfig
from pipeline.data.digits import Digits
from pipeline.records.members import Member, group_by_arm
from pipeline.report.findings import Findings
from pipeline.report.words import count, duration


def facts(findings: Findings, written: datetime) -> dict[str, str]:
    """Names and values, in the order of their interest; values of several runs are joined where they differ."""
    configs, digits, members = findings.configs, findings.digits, findings.members
    pairs = {len(result.points) for result in findings.comparison.paired}
    used = environment(members)
    networks = ", ".join(f"{len(group)} {arm}" for arm, group in group_by_arm(members).items())
    training = duration(sum(record["seconds"] for member in members for record in member.history))
    trained = f"{count(findings.trained, 'network')} in {duration(findings.seconds)}, with start and vote"
    return {
        "Written": f"{written:%Y-%m-%d %H:%M} UTC",
        "Data": f"{digits.source}: {len(digits.labels):,} images labelled{_unlabelled(digits)}",
        "Recipe": _joined_values(map(_recipe_words, configs)),
        "Networks": networks,
        "Pairs": " or ".join(map(str, sorted(pairs))) if pairs else "none",
        "Seeds": _numbers({member.spec.seed for member in members}),
        "Folds": _joined_values(map(_folds, configs)),
        **({"Trained by this command": trained} if findings.trained else {}),
        "Training, summed over the networks": training,
        "Speed of one network": f"{findings.rate_of_one:,.0f} images per second",
        "Precision": used.get("precision", "not recorded"),
        "Device": used.get("device", "not recorded"),
    }


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
    images = len(digits.image_ids)
    return f", {images:,} to predict" if images else ""


def _recipe_words(config: RunConfig) -> str:
    recipe, train = config.recipe, config.recipe.train
    width = f", width {recipe.width}" if recipe.width != 1 else ""
    return f"{recipe.architecture}{width}, {count(train.epochs, 'epoch')} of {train.optimizer} ({train.schedule})"


def _folds(config: RunConfig) -> str:
    if not config.recipe.folds:
        return "none: trained on all labelled images"
    if config.folds_used == config.recipe.folds:
        return f"{config.recipe.folds}, each validated on once"
    return f"{config.folds_used} of {config.recipe.folds} validated on"


def _numbers(numbers: Iterable[int]) -> str:
    """Such as "0 to 4"."""
    ordered = sorted(numbers)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered))
