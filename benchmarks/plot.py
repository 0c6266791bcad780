"""The records of two benchmarks as one picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.record import FOLDER, load
from pipeline.records.atomic import atomic_replace


@dataclass(frozen=True)
class Plot:
    """Draw the records of `swish` and `pytorch`: what each activation costs, and who is faster."""

    out: Path = FOLDER / "speed.png"
    """The picture."""
    records: Path = FOLDER
    """Folder of swish.json and pytorch.json."""

    def run(self) -> None:
        """Draw the picture."""
        swish, pytorch = (load(self.records / f"{claim}.json", "rows") for claim in ("swish", "pytorch"))
        figure = Figure(figsize=(11, 6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        _draw_costs(left, swish)
        _draw_contest(right, pytorch)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(self.out) as temporary:
            figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
        print(f"written: {self.out}")


def _draw_costs(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Time relative to ReLU, by activation, network and precision; whiskers are the range over the rounds."""
    contests = list(dict.fromkeys((r["architecture"], r["precision"]) for r in rows))
    names = list(dict.fromkeys(r["name"] for r in rows))[1:]
    for i, name in enumerate(names):
        own = [next(r for r in rows if (r["architecture"], r["precision"], r["name"]) == (*c, name)) for c in contests]
        ratios = [r["ratio"] for r in own]
        spread = [[r["ratio"] - r["ratio_low"] for r in own], [r["ratio_high"] - r["ratio"] for r in own]]
        places = [c + (i - (len(names) - 1) / 2) * 0.2 for c in range(len(contests))]
        axes.errorbar(places, ratios, yerr=spread, fmt="o", capsize=3, color=f"C{i + 1}", label=name)
    axes.axhline(1, color="C0", label=rows[0]["name"])
    axes.set_xticks(range(len(contests)), [f"{net}\n{precision.removeprefix('mixed_')}" for net, precision in contests])
    axes.set(title="Epoch time, in multiples of ReLU's", ylim=(0.8, None))
    axes.legend(ncols=len(names) + 1, fontsize="small")


def _draw_contest(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Microseconds per image, ours and PyTorch's."""
    rows = rows[::-1]
    axes.barh(
        [f"{r['architecture']}: {r['name']}" for r in rows],
        [r["microseconds_per_image"] for r in rows],
        color=["C1" if r["name"].startswith("ours") else "C7" for r in rows],
    )
    axes.tick_params(axis="y", labelsize="small")
    axes.set(title="Training, µs per image")
