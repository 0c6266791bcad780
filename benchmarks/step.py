"""Where an epoch's time goes: around the arithmetic, and within it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.contest import Competitor, hold
from benchmarks.flags import Flags, Precision
from benchmarks.ours import ENVIRONMENT, competitor, specs_of
from benchmarks.record import environment, rows_of, save, show, show_timings
from pipeline.config.presets import preset
from pipeline.config.schema import Architecture, TrainConfig

DISTORTIONS = preset("leaderboard").recipe.augment  # all that there are


@dataclass(frozen=True)
class Step(Flags):
    """What augmentation, batching, logging, validation and checkpoints add to an epoch, and how fast its layers are.

    The augmentation is that of `leaderboard`, which has every kind of distortion.
    """

    architectures: tuple[Architecture, ...] = ("ghouzam", "deotte")
    """Networks."""
    activation: str = "swish"
    """Activation."""
    batch: int = 86
    """Images per step."""
    precision: Precision = "auto"
    """Arithmetic of the layers."""

    def run(self) -> None:
        """Hold one contest per network, between whole epochs and bare ones, and time its layers one by one."""
        rows, layers, products = [], [], {}
        for architecture in self.architectures:
            train = TrainConfig(batch_size=self.batch, precision=self.precision)
            specs = [
                replace(s, recipe=replace(s.recipe, augment=DISTORTIONS))
                for s in specs_of(architecture, (self.activation,), train)
            ]
            bare, whole = hold(
                [
                    competitor("arithmetic only", specs, self.data, arithmetic_only=True),
                    competitor("whole epoch", specs, self.data),
                ],
                self.rounds,
            )
            contest = rows_of([bare, whole], architecture=architecture, batch=self.batch, activation=self.activation)
            show_timings(f"{architecture}, batch {self.batch}, one process of one thread", contest)
            rows += contest
            spread = (max(whole.seconds) - min(whole.seconds)) / statistics.median(whole.seconds)
            print(f"epochs of the member differ by {spread:.1%} of their median")

            probe = Competitor("layers", "benchmarks.layers:measure", (specs[0],), 1, 1, ENVIRONMENT)
            product, policy, times = hold([probe], rounds=1)[0].last_reports[0]
            show_layers(architecture, times, product, policy)
            layers += [{"architecture": architecture, "precision": policy, **t} for t in times]
            products[architecture] = product
        content = {"environment": environment(), "rows": rows, "layers": layers, "product_flops": products}
        save("step", self.out, content)


def show_layers(architecture: str, times: Sequence[dict[str, Any]], product: float, policy: str) -> None:
    """Print the kinds of layers, those that take most first."""
    total = sum(t["microseconds"] for t in times)
    lines = []
    for t in sorted(times, key=lambda t: -t["microseconds"]):
        rate = t["flops"] / t["microseconds"] * 1e6  # FLOP/s
        reached = [f"{rate / 1e9:.0f}", f"{rate / product:.0%}"] if rate else ["-", "-"]
        lines.append([t["kind"], f"{t['microseconds']:.0f}", f"{t['microseconds'] / total:.0%}", *reached])
    title = f"{architecture}, {policy}, layers alone; a large matrix product: {product / 1e9:.0f} GFLOP/s"
    show(title, ["layers", "µs per image", "share", "GFLOP/s", "of the product"], lines)
