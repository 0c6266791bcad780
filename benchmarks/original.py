"""The blog post's experiment: this project against the way the blog post ran it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.contest import Competitor, hold
from benchmarks.flags import Flags
from benchmarks.ours import competitor, specs_of, training_images
from benchmarks.record import environment, rows_of, save, show, show_timings
from pipeline.config.schema import TrainConfig

ARMS = ("relu", "swish")


@dataclass(frozen=True)
class Original(Flags):
    """Both arms with augmentation and validation, ours at once, the blog post's one after the other.

    The accuracies that are compared are those after the last round; --rounds 29 makes the blog post's 30 epochs.
    """

    seeds: int = 1
    """Repetitions with other seeds; two or more give the accuracies an interval."""

    def run(self) -> None:
        """Hold one contest per seed."""
        rows, speed_ups = [], []
        accuracies: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
        for seed in range(self.seeds):
            specs = [s for s in specs_of("ghouzam", ARMS, TrainConfig(), self.seeds) if s.seed == seed]
            images = training_images(specs[0], self.data)
            sources = [
                Competitor(f"source, {s.activation}", "benchmarks.keras_fit:train", (s, self.data), images)
                for s in specs
            ]
            ours, *theirs = hold([competitor("ours, both", specs, self.data), *sources], self.rounds)
            contest = rows_of([ours, *theirs], seed=seed)
            show_timings(f"seed {seed}", contest)
            rows += contest
            speed_ups += [
                sum(both) / mine for mine, *both in zip(ours.seconds, *(t.seconds for t in theirs), strict=True)
            ]
            for arm, mine, their in zip(ARMS, ours.last_reports, theirs, strict=True):
                accuracies[arm].append((mine["validation_accuracy"], their.last_reports[0]["validation_accuracy"]))
        speed_up = statistics.median(speed_ups)
        span = f"{min(speed_ups):.2f} to {max(speed_ups):.2f}"
        print(f"both arms: {speed_up:.2f} times as fast as the blog post's way ({span})")
        gains = [gain_of(arm, pairs) for arm, pairs in accuracies.items()]
        show(
            f"validation accuracy after {self.rounds + 1} epochs",
            ["arm", "ours", "source's way", "difference", "95% interval"],
            [[str(cell) for cell in gain.values()] for gain in gains],
        )
        content = {"environment": environment(), "rows": rows, "speed_ups": speed_ups, "accuracies": gains}
        save("original", self.out, content)


def gain_of(arm: str, pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Accuracy of ours and of the blog post's way, one pair per seed, and what the pairs say about their difference."""
    ours, theirs = np.array(pairs).T
    interval = None
    if len(pairs) > 1:
        low, high = ttest_rel(ours, theirs).confidence_interval()
        interval = [round(float(low), 5), round(float(high), 5)]
    return {
        "arm": arm,
        "ours": round(float(ours.mean()), 5),
        "theirs": round(float(theirs.mean()), 5),
        "difference": round(float((ours - theirs).mean()), 5),
        "interval": interval,
    }
