"""The figures of the activations, as the trained networks apply them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.records.members import Member, group_by_arm
from pipeline.report.plots import INK, WIDTH, ArmStyle, Plot, csv_text


def activation_curves(members: Sequence[Member], styles: Mapping[str, ArmStyle]) -> Plot | None:
    """The activations and their slopes; None if no member recorded them."""
    groups = {arm: group for arm, group in group_by_arm(members).items() if any(m.activations for m in group)}
    if not groups:
        return None
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    learned = False
    for arm, group in groups.items():
        curves = [curve for member in group for curve in member.activations]
        x, ys, style = np.array(curves[0].x), np.unique([curve.y for curve in curves], axis=0), styles[arm]
        learned = learned or len(ys) > 1
        for axes, values in zip(panels, (ys, np.gradient(ys, x, axis=1)), strict=True):
            axes.plot(x, np.median(values, axis=0), color=style.color, ls=style.line, label=arm)
            if len(ys) > 1:
                axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=style.color, alpha=0.2, lw=0)
    panels[0].set(title="activation")
    panels[0].legend()
    panels[1].set(title="slope", xlabel="x")
    return Plot(
        "activations",
        "The activations",
        figure,
        "The activations as the trained networks apply them, evaluated by their own layers."
        + (" Where layers have learned shapes of their own, the line is their median and the band spans them all."
           if learned else ""),
        f"Value and slope of {', '.join(groups)} between -5 and 5.",
        csv_text(["arm", "seed", "fold", "layers", "beta", "x", "y"],
             ([arm, group[0].spec.seed, group[0].spec.fold, c.layers, c.beta, x, y] for arm, group in groups.items()
              for c in group[0].activations for x, y in zip(c.x, c.y, strict=True))),
    )  # fmt: skip


def learned_betas(members: Sequence[Member], styles: Mapping[str, ArmStyle]) -> Plot | None:
    """The β that swish_beta learned, by layer; None if no network has one."""
    rows: list[list[Any]] = [
        [member.arm, member.spec.seed, member.spec.fold, layer, curve.beta]
        for member in members
        for layer, curve in enumerate(member.activations, 1)
        if curve.beta is not None
    ]
    if not rows:
        return None
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(1, color=INK, alpha=0.5, lw=1)
    arms = list(dict.fromkeys(row[0] for row in rows))
    means: list[float] = []
    for arm in arms:
        layers, betas = np.array([row[3:] for row in rows if row[0] == arm], float).T
        numbers = np.unique(layers)
        means += (mean := [betas[layers == number].mean() for number in numbers])
        style = styles[arm]
        axes.plot(layers, betas, style.marker, color=style.color, alpha=0.5, ms=4, mec="none")
        axes.plot(numbers, mean, color=style.color, ls=style.line, label=arm)
    axes.set(xlabel="layer", ylabel="β")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(arms) > 1:
        axes.legend()
    betas = [row[-1] for row in rows]
    return Plot(
        "betas",
        "β by layer",
        figure,
        "What β became, which starts at 1 in every layer: one marker per network, the line is their mean. The first "
        f"layer is next to the image, the last next to the output. All are between {min(betas):.3f} and "
        f"{max(betas):.3f}.",
        f"Learned β by layer: the means are {', '.join(f'{mean:.2f}' for mean in means)}.",
        csv_text(["arm", "seed", "fold", "layer", "beta"], rows),
    )
