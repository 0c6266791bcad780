"""The arms side by side: single networks, then votes, in cells for people."""

from collections.abc import Sequence
from statistics import mean

from pipeline.evidence.comparison import Comparison
from pipeline.records.scores import Score

HEADS = ("", "networks", "wrong", "range", "of", "accuracy", "s/epoch")


def kinds_of(comparison: Comparison) -> list[str]:
    """The kinds of images that judge the networks, the best first; at least one, which may judge none."""
    judging = [kind for kind in ("held_back", "validation") if any(getattr(arm, kind) for arm in comparison.arms)]
    return judging or ["validation"]


def single_rows(comparison: Comparison, kind: str) -> list[list[str]]:
    """Cells under HEADS, for the networks of each arm, each by itself, on one kind of images."""
    return [
        [f"one {arm.activation}", str(arm.members), *_cells(getattr(arm, kind), kind), f"{arm.seconds_per_epoch:.1f}"]
        for arm in comparison.arms
    ]


def vote_rows(comparison: Comparison, kind: str) -> list[list[str]]:
    """The same for the vote of each arm, the last one for that of all."""
    *arms, whole = comparison.ensembles
    named = [*((f"vote of {vote.name}", vote) for vote in arms), ("vote", whole)]
    rows = []
    for name, vote in named:
        score = getattr(vote, kind)
        rows.append([name, str(vote.members), *_cells([score] if score else [], kind), ""])
    return rows


def score_rows(comparison: Comparison) -> list[list[str]]:
    """All rows, on one kind of images after the other."""
    return [row for kind in kinds_of(comparison) for rows in (single_rows, vote_rows) for row in rows(comparison, kind)]


def used(rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows without the columns that hold nothing."""
    columns = [(head, column) for head, column in zip(HEADS, zip(*rows, strict=True), strict=True) if any(column)]
    heads, cells = zip(*columns, strict=True)
    return list(heads), [list(row) for row in zip(*cells, strict=True)]


def _cells(scores: Sequence[Score], kind: str) -> list[str]:
    """Errors on average, the fewest and the most, of how many images, and the accuracy."""
    if not scores:
        return [""] * 4
    errors = [score.errors for score in scores]
    images = round(mean(score.images for score in scores))
    return [
        f"{mean(errors):.1f}".removesuffix(".0"),
        f"{min(errors)} to {max(errors)}" if len(errors) > 1 else "",
        f"{images:,} {kind.replace('_', '-')}",
        f"{mean(score.accuracy for score in scores):.4f}",
    ]
