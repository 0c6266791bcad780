"""The arms side by side: single networks, then votes; as rows of numbers, and as cells for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import mean, stdev
from typing import Any

from pipeline.evidence.comparison import Comparison
from pipeline.records.scores import Score
from pipeline.report.plots import csv_text


@dataclass(frozen=True)
class Row:
    """Single networks of an arm, or a vote, on one kind of images. None: not known, or there is none."""

    who: str
    networks: int
    images: str | None
    """held-back or validation."""
    of: int | None
    """How many of these images one network, or the vote, read."""
    wrong: float | None
    """How many of them it misread; of single networks, on average."""
    fewest: int | None = None
    """Of single networks, the best and the worst."""
    most: int | None = None
    accuracy: float | None = None
    accuracy_sd: float | None = None
    """Over single networks."""
    votes_per_image: float | None = None
    unlike_vote: float | None = None
    """Images to predict that a single network reads otherwise than the vote of all, on average."""
    seconds_per_epoch: float | None = None
    """Median over the networks' epochs, the first of each left out."""
    ratio_to_relu: float | None = None
    """Median of the same over pairs of one seed and fold."""


def score_rows(comparison: Comparison, unlike_vote: Mapping[str, float]) -> list[Row]:
    """All rows: on held-back images where there are some, then on validation rows; `unlike_vote` by arm."""
    kinds = [kind for kind in ("held_back", "validation") if any(getattr(arm, kind) for arm in comparison.arms)]
    rows = []
    for kind in kinds or [""]:
        images = kind.replace("_", "-") or None
        for arm in comparison.arms:
            scores = _numbers(getattr(arm, kind, []))
            others: dict[str, Any] = {
                "seconds_per_epoch": arm.seconds_per_epoch,
                "ratio_to_relu": arm.ratio_to_relu,
                "unlike_vote": unlike_vote.get(arm.activation),
            }
            rows.append(Row(f"one {arm.activation}", arm.members, images, **scores, **others))
        for vote in comparison.ensembles if kinds else comparison.ensembles[-1:]:
            name = "vote" if vote is comparison.ensembles[-1] else f"vote of {vote.name}"
            score = getattr(vote, kind, None)
            votes = vote.votes if kind == "validation" else float(vote.members)
            rows.append(Row(name, vote.members, images, **_numbers([score] if score else []), votes_per_image=votes))
    return rows


def _numbers(scores: Sequence[Score]) -> dict[str, Any]:
    if not scores:
        return {"of": None, "wrong": None}
    errors, accuracies = [score.errors for score in scores], [score.accuracy for score in scores]
    numbers: dict[str, Any] = {
        "of": round(mean(score.images for score in scores)),
        "wrong": float(mean(errors)),
        "accuracy": mean(accuracies),
    }
    if len(scores) > 1:
        numbers |= {"fewest": min(errors), "most": max(errors), "accuracy_sd": stdev(accuracies)}
    return numbers


def rows_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV, one number a column."""
    return csv_text([field.name for field in fields(Row)], (asdict(row).values() for row in rows))  # type: ignore[misc]


def cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Heads and cells for people, the columns that matter most first; without those that hold nothing."""
    kinds = list(dict.fromkeys(row.images for row in rows if row.images))
    columns = {
        "": [row.who for row in rows],
        "networks": [str(row.networks) for row in rows],
        "wrong": [_short(row.wrong) for row in rows],
        "range": [f"{row.fewest} to {row.most}" if row.most is not None else "" for row in rows],
        f"{kinds[0]} images" if len(kinds) == 1 else "images": [
            f"{row.of:,}{f' {row.images}' if len(kinds) > 1 else ''}" if row.of else "" for row in rows
        ],
        "accuracy": [_fixed(row.accuracy, 4) for row in rows],
        "unlike the vote": [_short(row.unlike_vote) if row.of is None else "" for row in rows],
        "s/epoch": [_fixed(row.seconds_per_epoch, 1) for row in rows],
        "× relu": [_fixed(row.ratio_to_relu, 2) for row in rows],
        "votes per image": [_short(row.votes_per_image) if row.images == "validation" else "" for row in rows],
    }
    used = {head: column for head, column in columns.items() if any(column)}
    return list(used), [list(row) for row in zip(*used.values(), strict=True)]


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.1f}".removesuffix(".0")


def _fixed(number: float | None, digits: int) -> str:
    return "" if number is None else f"{number:.{digits}f}"
