"""What was trained, on what and when, in a few words each."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pipeline.config.schema import RunConfig
from pipeline.data.digits import Digits
from pipeline.records.members import Member, group_by_arm
from pipeline.report.findings import Findings
from pipeline.report.words import count, duration


def facts(findings: Findings, written: datetime) -> dict[str, str]:
    """Names and values, in the order of their interest; values of several runs are joined where they differ."""
    configs, digits, members = findings.configs, findings.digits, findings.members
    used = environment(members)
    networks = ", ".join(f"{len(group)} {arm}" for arm, group in group_by_arm(members).items())
    trained = f"{count(findings.trained, 'network')} in {duration(findings.seconds)}, with start and vote"
    return {
        "Written": f"{written:%Y-%m-%d %H:%M} UTC",
        "Data": f"{digits.source}: {len(digits.labels):,} images labelled{_unlabelled(digits)}",
        "Recipe": _joined_values(map(_recipe_words, configs)),
        "Networks": networks,
        **({"Trained by this command": trained} if findings.trained else {}),
        "Speed of one network": f"{findings.rate_of_one:,.0f} images per second",
        "Precision": used.get("precision", "not recorded"),
        "Device": used.get("device", "not recorded"),
    }


def environment(members: Sequence[Member]) -> dict[str, str]:
    """Versions and hardware that members were trained with; what differs between them is joined."""
    keys = dict.fromkeys(key for member in members for key in member.environment)
    return {key: _joined_values(m.environment[key] for m in members if key in m.environment) for key in keys}


def _joined_values(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _unlabelled(digits: Digits) -> str:
    images = len(digits.image_ids)
    return f", {images:,} to predict" if images else ""


def _recipe_words(config: RunConfig) -> str:
    recipe, train = config.recipe, config.recipe.train
    width = f", width {recipe.width}" if recipe.width != 1 else ""
    folds = f", {config.folds_used} of {recipe.folds} folds" if recipe.folds else ""
    epochs = f"{count(train.epochs, 'epoch')} of {train.optimizer} ({train.schedule})"
    return f"{recipe.architecture}{width}, {epochs}{folds}"
