"""What the intervals and verdicts of a study are worth, in simulated studies whose truth is known."""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import save, show
from benchmarks.studies import Setting, simulate, tally_studies
from pipeline.config.errors import UserError
from pipeline.evidence.intervals import LEVEL, Spread, two_way
from pipeline.evidence.verdict import MARGIN, Verdict, judge

DESIGNS = ((3, 1), (5, 1), (5, 2), (5, 5), (1, 10), (1, 25))  # folds, and pairs in each
NOISES = {"as docs/study/strong": (35, 16), "noisier": (42, 40)}  # errors and disagreements of 8,400
EFFECTS = (0.03, 0.05)  # true differences, in percentage points
CHUNK = 250  # studies in memory


@dataclass(frozen=True)
class Coverage:
    """How often the 95% interval covers the truth, and how often each verdict is right or wrong."""

    studies: int = 2000
    """Simulated studies of each setting."""
    seed_sds: tuple[float, ...] = (0.0, 0.05)
    """Standard deviation of a pair's true difference, percentage points."""
    tastes: tuple[float, ...] = (0.0, 1.0)
    """How much arms differ in which images they find hard, logits: 0, they do not."""
    out: Path | None = None
    """Where to write the record. By default build/benchmarks/coverage.json."""

    def run(self) -> None:
        """Simulate every setting."""
        if self.studies < 1:
            raise UserError(f"--studies must be at least 1. Received: {self.studies}")
        rows = [
            measure(Setting(folds, seeds, sd, 0.0, taste, *NOISES[noise]), self.studies) | {"noise": noise}
            for noise, (folds, seeds), sd, taste in product(NOISES, DESIGNS, self.seed_sds, self.tastes)
        ]
        keys = [key for key in rows[0] if key not in ("effect", "images", "noise")]
        cells = [[f"{row[k]:.3f}" if isinstance(row[k], float) else str(row[k]) for k in keys] for row in rows]
        show(f"{self.studies:,} studies of each setting", [key.replace("_", " ") for key in keys], cells)
        save("coverage", self.out, {"studies": self.studies, "rows": rows})


def measure(setting: Setting, studies: int) -> dict[str, Any]:
    """One row of the table: of studies without a difference, of those at the margin, and of those with one."""
    spread, verdicts = judge_studies(setting, studies)
    low, high = spread.interval()
    row = {
        **asdict(setting),
        "coverage": float(((low <= 0) & (high >= 0)).mean()),
        "half_width": float(np.mean(high - low) / 2),
        "false_difference": _share(verdicts, Verdict.FIRST_BETTER, Verdict.SECOND_BETTER),
        "equivalent": _share(verdicts, Verdict.EQUIVALENT),
        "false_equivalence": _share(judge_studies(replace(setting, effect=MARGIN), studies)[1], Verdict.EQUIVALENT),
    }
    powers = {f"power_{e}": judge_studies(replace(setting, effect=e), studies)[1] for e in EFFECTS}
    return row | {name: _share(found, Verdict.FIRST_BETTER) for name, found in powers.items()}


def judge_studies(setting: Setting, studies: int) -> tuple[Spread, list[Verdict]]:
    """The spreads of simulated studies, and their verdicts."""
    generator = np.random.default_rng(0)
    spreads = [
        two_way(tally_studies(simulate(setting, min(CHUNK, studies - start), generator), setting))
        for start in range(0, studies, CHUNK)
    ]
    difference, variance = (
        np.concatenate([getattr(s, value) for s in spreads]) for value in ("difference", "variance")
    )
    images = setting.folds * setting.images
    each = [Spread(setting.pairs, d, v) for d, v in zip(difference, variance, strict=True)]
    return Spread(setting.pairs, difference, variance), [judge(one, images, LEVEL) for one in each]


def _share(verdicts: list[Verdict], *wanted: Verdict) -> float:
    counts = Counter(verdicts)
    return sum(counts[verdict] for verdict in wanted) / len(verdicts)
