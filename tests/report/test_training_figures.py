"""The learning curves, by what they draw."""

import pytest
from factories import drawn, make_member

from pipeline.report.plots import arm_styles
from pipeline.report.training_figures import learning_curves

STYLES = arm_styles(["relu", "swish"])


def member(spec, arm, seed, epochs=3, accuracy=0.5):
    history = [
        {"epoch": e, "loss": seed + 1 / e, "validation_accuracy": accuracy, "seconds": 10.0 + e}
        for e in range(1, epochs + 1)
    ]
    return make_member(spec, arm, seed, history=history)


def everyone(spec, **more):
    return [member(spec, arm, seed, **more) for seed in (0, 1) for arm in ("relu", "swish")]


def test_curves_by_member_and_epoch(spec):
    loss, errors = drawn(learning_curves(everyone(spec), STYLES))
    assert list(loss.lines[0].get_ydata()) == pytest.approx([1.5, 1.0, 5 / 6])
    assert list(errors.lines[1].get_ydata()) == [50, 50, 50]
    assert [(line.get_color(), line.get_linestyle()) for line in loss.lines] == [
        (STYLES["relu"].color, "-"), (STYLES["swish"].color, "--"),
    ]  # fmt: skip
    assert len(loss.collections) == 2  # a band for each arm


def test_a_single_network_has_no_band_and_few_epochs_have_markers(spec):
    (loss, _) = learning_curves(everyone(spec)[:2], STYLES).figure.axes
    assert not loss.collections
    assert loss.lines[0].get_marker() == "o"
    assert learning_curves(everyone(spec, epochs=4), STYLES).figure.axes[0].lines[0].get_marker() == ""


def test_scales_fit_what_is_on_them(spec):
    scales = [axes.get_yscale() for axes in learning_curves(everyone(spec), STYLES).figure.axes]
    assert scales == ["log", "log"]
    perfect = learning_curves(everyone(spec, accuracy=1.0), STYLES)
    assert [axes.get_yscale() for axes in perfect.figure.axes] == ["log", "linear"]


def test_the_longest_training_is_seen_to_its_end(spec):
    for first, second in (("relu", "swish"), ("swish", "relu")):
        for accuracy in (0.5, 1.0):  # a log scale, or none
            members = [member(spec, first, 0, 5, accuracy), member(spec, second, 0, 2, accuracy)]
            panels = learning_curves(members, STYLES).figure.axes
            assert [axes.get_xlim() for axes in panels] == [(0.5, 5.5)] * 2


def test_without_validation_there_is_the_loss_alone(spec):
    plot = learning_curves([make_member(spec, "relu", history=[{"epoch": 1, "loss": 1.0, "seconds": 1.0}])], STYLES)
    assert len(plot.figure.axes) == 1
    assert "validation" not in plot.alt
