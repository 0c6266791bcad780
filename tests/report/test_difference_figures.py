"""The figures of the difference, by what they draw and by what their captions claim."""

import numpy as np
import pytest
from factories import drawn, pair

from pipeline.evidence.verdict import compare_pairs
from pipeline.report.difference_figures import epoch_differences, paired_differences
from pipeline.report.plots import INK, arm_styles

STYLES = arm_styles(["relu", "swish", "elu"])
PAIRS = [
    pair(1, images=4, by_epoch=[1.0, 2.0, 3.0, -1.0, -2.0, -3.0]),
    pair(0, 1, images=4, fold=1, seed=1, by_epoch=[3.0, 0.0, 1.0, -3.0, -4.0, -5.0]),
    pair(1, images=4, fold=2, seed=2, by_epoch=[2.0, 1.0, 2.0, -2.0, -3.0, -4.0]),
]


def result(*pairs):
    return compare_pairs({("swish", "relu"): pairs})


def test_each_pair_is_a_dot_of_the_better_arms_colour_and_ties_are_stacked():
    (axes,) = drawn(paired_differences(result(*PAIRS, pair(images=4, fold=3)), STYLES))
    dots = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_color()
        for line in axes.lines
        if line.get_markersize() == 6 and line.get_linestyle() == "None"
    }
    assert dots == {
        (0.0, 0.5): INK,
        (25.0, 0.5): STYLES["swish"].color,
        (25.0, 1.5): STYLES["swish"].color,
        (-25.0, 0.5): STYLES["relu"].color,
    }


def test_the_reading_direction_is_written_on_both_sides():
    (axes,) = paired_differences(result(*PAIRS), STYLES).figure.axes
    assert (axes.get_title("left"), axes.get_title("right")) == ("← relu better", "swish better →")
    low, high = axes.get_xlim()
    assert low == -high
    long = compare_pairs({("swish (another run)", "relu (one run)"): PAIRS})
    (axes,) = paired_differences(long, arm_styles(["relu (one run)", "swish (another run)"])).figure.axes
    assert (axes.get_title("left"), axes.get_title("right")) == (
        "← relu (one run) better\n", "\nswish (another run) better →",
    )  # fmt: skip


def test_the_intervals_that_decide_are_drawn_and_few_pairs_have_none():
    (shown,), (three, two) = result(*PAIRS), (paired_differences(result(*PAIRS[:n]), STYLES) for n in (3, 2))
    bars = {line.get_linewidth(): tuple(line.get_xdata()) for line in three.figure.axes[0].lines
            if len(line.get_xdata()) == 2 and line.get_linewidth() > 1}  # fmt: skip
    assert bars == {1.5: shown.interval, 4: shown.equivalence_interval}
    assert "95% interval over seeds and images, the bar that of 90%" in three.caption
    assert "no interval: fewer than 3 pairs" in two.caption
    assert "interval" not in two.alt
    assert all(line.get_linewidth() < 1.5 or len(line.get_xdata()) < 2 for line in two.figure.axes[0].lines)


def test_differences_by_epoch():
    plot = epoch_differences(result(*PAIRS))
    (axes,) = drawn(plot)
    assert list(axes.lines[1].get_ydata()) == [2, 1, 2, -2, -3, -4]
    half = 4.302653 / np.sqrt(3)  # Student's t with 2 degrees of freedom; the standard deviation is 1
    (bars,) = [segments for segments in axes.collections if len(segments.get_segments()) == 6]
    assert bars.get_segments()[0][:, 1].tolist() == pytest.approx([2 - half, 2 + half], rel=1e-5)
    assert axes.get_title("left") == "↑ swish better, ↓ relu better"
    assert "with its 95% interval over pairs" in plot.caption
    assert "-4.000 points after epoch 6" in plot.alt


def test_the_longest_training_is_seen_to_its_end():
    short = [pair(1, images=4, fold=fold, seed=fold, by_epoch=[1.0, 2.0]) for fold in range(3)]
    results = compare_pairs({("swish", "relu"): PAIRS, ("elu", "relu"): short})
    for panels in (epoch_differences(results), epoch_differences(results[::-1])):
        assert [axes.get_xlim() for axes in panels.figure.axes] == [(0.4, 6.6)] * 2


def test_early_epochs_do_not_squeeze_the_late_ones():
    early = [pair(1, images=4, seed=i, by_epoch=[50.0, 0.1, 0.1]) for i in range(2)]
    (axes,) = epoch_differences(result(*early)).figure.axes
    assert axes.get_ylim()[1] < 1


def test_one_pair_claims_no_interval_and_without_epochs_there_is_no_figure():
    assert "interval" not in epoch_differences(result(pair(1, images=4, by_epoch=[0.5]))).caption
    assert epoch_differences(result(pair(1, images=4))) is None


def test_each_two_arms_have_a_panel():
    three = compare_pairs({("swish", "relu"): PAIRS, ("elu", "relu"): PAIRS[:2], ("elu", "swish"): PAIRS[1:]})
    assert [axes.get_title("right") for axes in paired_differences(three, STYLES).figure.axes] == [
        "swish better →", "elu better →", "elu better →",
    ]  # fmt: skip
    assert len(epoch_differences(three).figure.axes) == 3
