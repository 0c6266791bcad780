"""What the intervals and verdicts of a study are worth, in simulated studies whose truth is known."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import save, show
from benchmarks.studies import Setting, simulate, tally_studies
from pipeline.config.errors import UserError
from pipeline.evidence.intervals import Spread, two_way
from pipeline.evidence.power import EFFECTS, power
from pipeline.evidence.sign_flip import sign_flip
from pipeline.evidence.verdict import MARGIN, Verdict, judge

DESIGNS = ((2, 1), (4, 1), (5, 1), (5, 2), (5, 5), (1, 5), (1, 10), (1, 25))  # folds, and pairs in each
SHOWN = (Verdict.FIRST_BETTER, Verdict.SECOND_BETTER)
CHUNK = 250  # studies in memory


@dataclass(frozen=True)
class Coverage:
    """How often the 95% interval covers the truth, and how often each verdict is right or wrong."""

    studies: int = 2000
    """Simulated studies of each setting."""
    seed_sds: tuple[float, ...] = (0.0, 0.03, 0.07)
    """Standard deviation of a pair's true difference, percentage points."""
    tastes: tuple[float, ...] = (0.0, 1.0)
    """How much arms differ in which images they find hard, logits: 0, they do not."""
    out: Path | None = None
    """Where to write the record. By default build/benchmarks/coverage.json."""

    def __post_init__(self) -> None:
        if self.studies < 1:
            raise UserError(f"--studies must be at least 1. Received: {self.studies}")

    def run(self) -> None:
        """Simulate every setting."""
        rows = [
            measure(Setting(folds, seeds, seed_sd, taste=taste), self.studies)
            for folds, seeds in DESIGNS
            for seed_sd in self.seed_sds
            for taste in self.tastes
        ]
        keys = [key for key in rows[0] if key not in ("effect", "images")]
        cells = [[f"{row[k]:.3f}" if isinstance(row[k], float) else str(row[k]) for k in keys] for row in rows]
        show(f"{self.studies:,} studies of each setting", [key.replace("_", " ") for key in keys], cells)
        save("coverage", self.out, {"studies": self.studies, "rows": rows})


def measure(setting: Setting, studies: int) -> dict[str, Any]:
    """One row of the table: of studies without a difference, of those with one, and of those at the margin."""
    spread, verdicts = judge_studies(setting, studies)
    low, high = spread.interval()
    row = {
        **asdict(setting),
        "coverage": float(((low <= 0) & (high >= 0)).mean()),
        "half_width": float(np.mean(high - low) / 2),
        "false_difference": _share(verdicts, *SHOWN),
        "equivalent": _share(verdicts, Verdict.EQUIVALENT),
        "false_equivalence": _share(judge_studies(replace(setting, effect=MARGIN), studies)[1], Verdict.EQUIVALENT),
    }
    for effect in EFFECTS:
        found, shown = judge_studies(replace(setting, effect=effect), studies)
        row[f"power_{effect}"] = _share(shown, Verdict.FIRST_BETTER)
        row[f"foretold_{effect}"] = float(np.median([power(effect, one, setting.pairs) for one in _each(found)]))
    return row


def judge_studies(setting: Setting, studies: int) -> tuple[Spread, list[Verdict]]:
    """The spreads of simulated studies, and their verdicts."""
    generator = np.random.default_rng(0)
    spreads, verdicts = [], []
    for start in range(0, studies, CHUNK):
        sums = tally_studies(simulate(setting, min(CHUNK, studies - start), generator), setting)
        spreads.append(two_way(sums))
        verdicts += [
            judge(one, setting.folds * setting.images, sign_flip(nets), tests=1)
            for one, nets in zip(_each(spreads[-1]), sums.nets.tolist(), strict=True)
        ]
    values = ("difference", "shared", "own", "degrees")
    return Spread(setting.pairs, *(np.concatenate([getattr(s, value) for s in spreads]) for value in values)), verdicts


def _each(spread: Spread) -> list[Spread]:
    columns = zip(spread.difference, spread.shared, spread.own, spread.degrees, strict=True)
    return [Spread(spread.pairs, *column) for column in columns]


def _share(verdicts: list[Verdict], *wanted: Verdict) -> float:
    return sum(verdict in wanted for verdict in verdicts) / len(verdicts)
