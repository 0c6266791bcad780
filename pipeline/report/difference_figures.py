"""The figures of the difference between two arms: pair by pair, and epoch by epoch."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.evidence.epochs import EpochDifference
from pipeline.evidence.intervals import FEWEST_PAIRS
from pipeline.evidence.verdict import MARGIN, Paired
from pipeline.report.plots import INK, WIDTH, ArmStyle, Plot
from pipeline.report.sentences import percent

COLUMNS_OF_DOTS = 60  # dots of one column are stacked
FEWEST_ROOM = 4  # dots that every stack has room for
LONGEST_TITLE = 45  # letters across a figure


def paired_differences(paired: Sequence[Paired], styles: Mapping[str, ArmStyle]) -> Plot:
    """The difference of each pair, and the mean with its interval, for each two arms."""
    reach = 1.1 * max(abs(x) for r in paired for x in (*r.points, *(r.interval or ()), r.difference, 1.5 * MARGIN))
    figure = Figure(figsize=(WIDTH, 0.5 + 1.1 * len(paired)), layout="constrained")
    rows = figure.subplots(len(paired), 1, sharex=True, squeeze=False)[:, 0]
    for axes, result in zip(rows, paired, strict=True):
        axes.axvspan(-MARGIN, MARGIN, color=INK, alpha=0.15, lw=0)
        axes.axvline(0, color=INK, alpha=0.5, lw=1)
        top = max(_stack_dots(axes, result, styles, reach), FEWEST_ROOM)
        if result.interval and result.equivalence_interval:
            axes.plot(result.interval, [-0.3 * top] * 2, color=INK, lw=1.5, solid_capstyle="butt")
            axes.plot(result.equivalence_interval, [-0.3 * top] * 2, color=INK, lw=4, solid_capstyle="butt")
        axes.plot(result.difference, -0.3 * top, "D", color=INK, ms=7)
        axes.set(xlim=(-reach, reach), ylim=(-0.6 * top, top), yticks=[])
        axes.spines["left"].set_visible(False)
        _name_sides(axes, f"← {result.second} better", f"{result.first} better →")
    rows[-1].set_xlabel("difference in accuracy, percentage points")
    level = paired[0].level
    bars = f"no interval: fewer than {FEWEST_PAIRS} pairs"
    if any(r.interval for r in paired):
        bars = (
            f"the line is its {percent(level)} interval over seeds and images, the bar that of {percent(2 * level)}. A "
            "line on one side of zero shows a difference, a bar within the band that the two are equally good"
        )
    return Plot(
        "Pair by pair",
        figure,
        "Each dot is a pair, two networks of one seed and fold, in the colour of the arm that reads more images right. "
        f"The diamond is the mean; {bars}. In the grey band, differences are below {MARGIN} points: too small to "
        "matter.",
        "Dot plot of the differences in accuracy: " + "; ".join(map(_mean_in_words, paired)) + ".",
    )


def _name_sides(axes: Axes, left: str, right: str) -> None:
    """Say above the axes which arm is better on which side; long names one above the other."""
    below = "\n" if len(left + right) > LONGEST_TITLE else ""
    axes.set_title(left + below, loc="left")
    axes.set_title(below + right, loc="right")


def _stack_dots(axes: Axes, result: Paired, styles: Mapping[str, ArmStyle], reach: float) -> int:
    """Draw a dot per pair, those of about one difference above each other; returns the height of the highest stack."""
    heights: Counter[int] = Counter()
    for points in sorted(result.points, key=abs):
        column = round(points / reach * COLUMNS_OF_DOTS / 2)
        ahead = styles[result.first if points > 0 else result.second]
        color, marker = (ahead.color, ahead.marker) if points else (INK, "o")
        axes.plot(points, heights[column] + 0.5, marker, color=color, ms=6, mec="none")
        heights[column] += 1
    return max(heights.values())


def _mean_in_words(result: Paired) -> str:
    text = f"{result.first} against {result.second} {result.difference:+z.3f} points on average"
    return text + (f", interval {result.interval[0]:+.3f} to {result.interval[1]:+.3f}" if result.interval else "")


def epoch_differences(paired: Sequence[Paired]) -> Plot | None:
    """The difference after each epoch with its interval, for each two arms; None without validation rows."""
    shown = [result for result in paired if result.by_epoch]
    if not shown:
        return None
    figure = Figure(figsize=(WIDTH, 0.3 + 2.2 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axes, result in zip(panels, shown, strict=True):
        _draw_epochs(axes, result)
    panels[-1].set(xlabel="epoch", xlim=(0.4, max(len(result.by_epoch) for result in shown) + 0.6))
    return Plot(
        "Epoch by epoch",
        figure,
        _epochs_caption(shown),
        "The difference in validation accuracy by epoch: " + "; ".join(map(_last_in_words, shown)) + ".",
    )


def _draw_epochs(axes: Axes, result: Paired) -> None:
    epochs = [span.epoch for span in result.by_epoch]
    means = [span.difference for span in result.by_epoch]
    axes.axhspan(-MARGIN, MARGIN, color=INK, alpha=0.15, lw=0)
    axes.axhline(0, color=INK, alpha=0.5, lw=1)
    axes.plot(epochs, means, ".-", color=INK, lw=1, ms=4)
    if all(span.interval for span in result.by_epoch):
        low, high = np.array([span.interval for span in result.by_epoch]).T
        axes.errorbar(epochs, means, (np.array(means) - low, high - means), color=INK, alpha=0.6, lw=1, ls="none")
    reach = _late_reach(result.by_epoch)
    axes.set(ylim=(-reach, reach), ylabel="points")
    axes.set_title(f"↑ {result.first} better, ↓ {result.second} better", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _late_reach(spans: Sequence[EpochDifference]) -> float:
    """So far from zero do the later two thirds of the epochs reach: the first ones would squeeze them to a line."""
    late = spans[len(spans) // 3 :]
    return 1.1 * max(abs(x) for span in late for x in (span.difference, *(span.interval or ()), 1.5 * MARGIN))


def _epochs_caption(shown: Sequence[Paired]) -> str:
    text = "The difference in validation accuracy after each epoch, on average over the pairs"
    if any(span.interval for result in shown for span in result.by_epoch):
        text += ", with its 95% interval over pairs (for these validation images)"
    return text + (
        f". In the grey band, differences are below {MARGIN} points. The first epochs may lie outside the picture."
    )


def _last_in_words(result: Paired) -> str:
    last = result.by_epoch[-1]
    return f"{result.first} against {result.second} {last.difference:+z.3f} points after epoch {last.epoch}"
