import numpy as np
from factories import make_member, rows

from pipeline.network.curves import ActivationCurve
from pipeline.report.activation_figures import activation_curves, learned_betas
from pipeline.report.plots import arm_styles

X = np.linspace(-5, 5, 11)
STYLES = arm_styles(["relu", "swish_beta"])


def relu(spec, seed):
    return make_member(
        spec, "relu", seed, activations=[ActivationCurve(5, None, X.tolist(), np.maximum(X, 0).tolist())]
    )


def beta(spec, seed, betas):
    curves = [ActivationCurve(1, b, X.tolist(), (b * X).tolist()) for b in betas]
    return make_member(spec, "swish_beta", seed, activations=curves)


def test_curves_are_medians_and_bands_where_layers_differ(spec):
    plot = activation_curves(
        [relu(spec, 0), relu(spec, 1), beta(spec, 0, [0.5, 1.0]), beta(spec, 1, [3.0, 1.0])], STYLES
    )
    values, slopes = plot.figure.axes
    assert list(values.lines[0].get_ydata()) == np.maximum(X, 0).tolist()
    assert list(values.lines[1].get_ydata()) == X.tolist()  # of 0.5, 1 and 3
    assert list(slopes.lines[1].get_ydata()) == [1.0] * 11
    assert len(values.collections) == 1
    assert "the band spans them all" in plot.caption
    assert len(rows(plot)) == 3 * 11
    assert "band" not in activation_curves([relu(spec, 0)], STYLES).caption
    assert activation_curves([make_member(spec, "relu")], STYLES) is None


def test_betas_by_layer(spec):
    plot = learned_betas([relu(spec, 0), beta(spec, 0, [0.5, 1.0]), beta(spec, 1, [1.5, 1.25])], STYLES)
    assert [(row["seed"], row["layer"], row["beta"]) for row in rows(plot)] == [
        ("0", "1", "0.5"), ("0", "2", "1"), ("1", "1", "1.5"), ("1", "2", "1.25"),
    ]  # fmt: skip
    assert "between 0.500 and 1.500" in plot.caption
    assert list(plot.figure.axes[0].lines[-1].get_ydata()) == [1.0, 1.125]
    assert learned_betas([relu(spec, 0)], STYLES) is None
