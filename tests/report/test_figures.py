"""What the figures are drawn from, by their CSV, and that they draw."""

import numpy as np
import pytest
from factories import make_member, pair, rows

from pipeline.evidence.verdict import compare_pairs
from pipeline.network.curves import ActivationCurve
from pipeline.report import figures


def member(spec, arm, seed, activations=()):
    history = [{"epoch": e, "loss": seed + 1 / e, "validation_accuracy": 0.5, "seconds": 10.0 + e} for e in (1, 2, 3)]
    return make_member(spec, arm, seed, history=history, activations=activations)


def test_learning_curves_and_times_by_member_and_epoch(spec):
    members = [member(spec, arm, seed) for seed in (0, 1) for arm in ("relu", "swish")]
    curves = rows(figures.learning_curves(members))
    assert len(curves) == 12
    assert curves[0] == {"arm": "relu", "seed": "0", "fold": "0", "epoch": "1", "loss": "1.0",
                         "validation_accuracy": "0.5"}  # fmt: skip
    assert [float(row["seconds"]) for row in rows(figures.epoch_times(members))] == [12.0, 13.0] * 4


def test_paired_differences_with_and_without_interval():
    pairs = [pair(1, images=4), pair(images=4)]
    for count in (1, 2):
        plot = figures.paired_differences(compare_pairs({("swish", "relu"): pairs[:count]}))
        assert [float(row["points"]) for row in rows(plot)] == [25.0, 0.0][:count]


def test_confusion_matrix_counts(known):
    table = rows(figures.confusions(known))
    assert [[int(row[str(d)]) for d in (0, 1, 7, 8)] for row in table[:4]] == [
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1],
    ]  # fmt: skip


def test_reliability_has_each_arm_and_all(known):
    table = rows(figures.reliability(known))
    assert {row["ensemble"] for row in table} == {"relu", "swish", "all"}
    relu = next(row for row in table if row["ensemble"] == "relu")
    assert float(relu["confidence"]) == pytest.approx(0.91)
    assert (float(relu["accuracy"]), int(relu["images"])) == (0.25, 4)


def test_activations_with_their_learned_betas(spec):
    x = np.linspace(-5, 5, 11).tolist()
    relu = member(spec, "relu", 0, [ActivationCurve(5, None, x, np.maximum(x, 0).tolist())])
    beta = member(spec, "swish_beta", 0, [ActivationCurve(1, b, x, [b * v for v in x]) for b in (0.9, 1.2)])
    plot = figures.activation_curves([relu, beta])
    assert [row["beta"] for row in rows(plot)] == ["", "0.9", "1.2"]
    assert "between 0.900 and 1.200" in plot.caption
    assert figures.activation_curves([member(spec, "relu", 0)]) is None
