"""The arms side by side as a table: heads and cells."""

import numpy as np

from pipeline.evidence.comparison import Comparison
from pipeline.records.scores import Score

TABLE_COLUMNS = [
    "who",
    "n",
    "votes per image",
    "validation accuracy",
    "errors",
    "held-back accuracy",
    "errors",
    "s/epoch",
    "ratio to relu",
]


def comparison_rows(comparison: Comparison) -> list[list[str]]:
    """The cells of the comparison's table, under TABLE_COLUMNS: single networks per arm, then ensembles."""
    singles = [
        [
            f"{arm.activation}, single",
            str(arm.members),
            "-",
            *_spread(arm.validation),
            *_spread(arm.held_back),
            f"{arm.seconds_per_epoch:.2f}",
            "-" if arm.ratio_to_relu is None else f"{arm.ratio_to_relu:.2f}",
        ]
        for arm in comparison.arms
    ]
    ensembles = [
        [f"{e.name}, ensemble", str(e.members), _votes(e.votes), *_one(e.validation), *_one(e.held_back), "-", "-"]
        for e in comparison.ensembles
    ]
    return singles + ensembles


def used_columns(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the comparison's table, without the columns that hold nothing."""
    rows = comparison_rows(comparison)
    used = [i for i in range(len(TABLE_COLUMNS)) if any(row[i] != "-" for row in rows)]
    return [TABLE_COLUMNS[i] for i in used], [[row[i] for i in used] for row in rows]


def _spread(scores: list[Score]) -> tuple[str, str]:
    if not scores:
        return "-", "-"
    accuracies = [s.accuracy for s in scores]
    spread = f" ± {np.std(accuracies, ddof=1):.4f}" if len(scores) > 1 else ""
    return f"{np.mean(accuracies):.4f}{spread}", f"{np.mean([s.errors for s in scores]):.1f}".removesuffix(".0")


def _one(score: Score | None) -> tuple[str, str]:
    return (f"{score.accuracy:.4f}", str(score.errors)) if score else ("-", "-")


def _votes(votes: float | None) -> str:
    return "-" if votes is None else f"{votes:.1f}".removesuffix(".0")
