"""The outcome of a run in a table and in sentences, the headline first."""

import numpy as np

from pipeline.evidence.comparison import Comparison, Score
from pipeline.evidence.verdict import describe

TABLE_COLUMNS = [
    "who",
    "n",
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
            *_spread(arm.validation),
            *_spread(arm.held_back),
            f"{arm.seconds_per_epoch:.2f}",
            "-" if arm.ratio_to_relu is None else f"{arm.ratio_to_relu:.2f}",
        ]
        for arm in comparison.arms
    ]
    ensembles = [
        [f"{e.name}, ensemble", str(e.members), *_one(e.validation), *_one(e.held_back), "-", "-"]
        for e in comparison.ensembles
    ]
    return singles + ensembles


def used_columns(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the comparison's table, without the columns that hold nothing."""
    rows = comparison_rows(comparison)
    used = [i for i in range(len(TABLE_COLUMNS)) if any(row[i] != "-" for row in rows)]
    return [TABLE_COLUMNS[i] for i in used], [[row[i] for i in used] for row in rows]


def mcnemar_lines(comparison: Comparison) -> list[str]:
    """One sentence per McNemar test."""
    return [
        f"{t.first} against {t.second}, ensembles, {t.rows} images: only {t.first} gets {t.only_first_right} right, "
        f"only {t.second} gets {t.only_second_right}; exact McNemar p = {t.p_adjusted:.3g}. "
        "This compares these trained networks, not the activations as such."
        for t in comparison.tests
    ]


def paired_lines(comparison: Comparison) -> list[str]:
    """What the pairs of each two arms say, the headline first, and whether they were fair."""
    return [*(describe(result) for result in comparison.paired), *filter(None, [comparison.fairness])]


def comparison_lines(comparison: Comparison) -> list[str]:
    """All that is said of a comparison in words, the headline first."""
    return [*paired_lines(comparison), *mcnemar_lines(comparison), *ensemble_lines(comparison)]


def ensemble_lines(comparison: Comparison) -> list[str]:
    """What each arm adds to an ensemble, and whether unequal votes pay."""
    lines = []
    if comparison.same_size:
        images = comparison.same_size[0].images
        each = "; ".join(f"{e.composition}: {e.mean_errors:.1f}" for e in comparison.same_size)
        lines.append(f"Ensembles of the same size, mean errors on {images:,} images: {each}.")
    for s in comparison.selections:
        low, high = s.interval
        lines.append(
            f"{s.method.capitalize()} instead of equal votes: {s.gain:+z.3f} points (95% {low:+z.3f} to {high:+z.3f}, "
            f"nested cross-validation on {s.images:,} images): "
            + (f"worth it, --vote {s.method}." if s.recommended else "no gain shown, equal votes it is.")
        )
    return lines


def _spread(scores: list[Score]) -> tuple[str, str]:
    if not scores:
        return "-", "-"
    accuracies = [s.accuracy for s in scores]
    spread = f" ± {np.std(accuracies, ddof=1):.4f}" if len(scores) > 1 else ""
    return f"{np.mean(accuracies):.4f}{spread}", f"{np.mean([s.errors for s in scores]):.1f}".removesuffix(".0")


def _one(score: Score | None) -> tuple[str, str]:
    return (f"{score.accuracy:.4f}", str(score.errors)) if score else ("-", "-")
