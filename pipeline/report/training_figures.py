"""The figure of the training: how the arms learned."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from pipeline.records.members import Member, group_by_arm
from pipeline.report.plots import WIDTH, ArmStyle, Plot

FEW_EPOCHS = 3  # up to so many, each point is marked


def learning_curves(members: Sequence[Member], styles: Mapping[str, ArmStyle]) -> Plot:
    """Training loss and, if there are validation rows, validation errors by epoch, per arm."""
    panels: dict[str, Callable[[dict[str, float]], float]] = {"training loss": lambda record: record["loss"]}
    if all("validation_accuracy" in m.history[0] for m in members):
        panels["validation errors, %"] = lambda record: 100 * (1 - record["validation_accuracy"])
    figure = Figure(figsize=(WIDTH, 2.8 * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, (title, value) in zip(rows, panels.items(), strict=True):
        _draw_curves(axes, members, styles, value)
        axes.set(title=title, xlabel="epoch")
    rows[0].legend()
    return Plot(
        "Learning curves",
        figure,
        "The mean over the networks of each arm; a band runs from the lowest to the highest of several.",
        f"{' and '.join(panels).capitalize()} by epoch, one line per arm: {', '.join(styles)}.",
    )


def _draw_curves(
    axes: Axes,
    members: Sequence[Member],
    styles: Mapping[str, ArmStyle],
    value: Callable[[dict[str, float]], float],
) -> None:
    """The mean of each arm's networks, and a band over all of them; on a log scale, unless there are zeros."""
    lowest, longest = np.inf, max(len(m.history) for m in members)
    for arm, group in group_by_arm(members).items():
        curves, style = np.array([[value(record) for record in m.history] for m in group]), styles[arm]
        epochs = np.arange(1, curves.shape[1] + 1)
        marker = style.marker if len(epochs) <= FEW_EPOCHS else ""
        axes.plot(epochs, curves.mean(axis=0), color=style.color, ls=style.line, marker=marker, label=arm)
        if len(group) > 1:
            axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=style.color, alpha=0.2, lw=0)
        lowest = min(lowest, curves.min())
    if lowest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(0.5, longest + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
