"""The answer of a comparison: which activation to take, in one sentence, and what to know about it.

Differences in accuracy are given in images to predict: percentage points mean little to most people.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.data.digits import TEST_IMAGES, Digits
from pipeline.evidence.comparison import Comparison
from pipeline.evidence.intervals import FEWEST_PAIRS
from pipeline.evidence.verdict import MARGIN, Paired, Verdict
from pipeline.report.sentences import percent

BASELINE = "relu"  # what is kept unless another arm is better
NOTABLE = 0.005  # a difference in time that rounds to less than 1% is none
STUDIED = ["relu", "swish"]  # the study of ten pairs, docs/study.md
FINE = 10  # images; smaller differences get one decimal
REASONS = {
    Verdict.SECOND_BETTER: "{names} {are} worse",
    Verdict.EQUIVALENT: f"{{names}} {{are}} equally good within {MARGIN} points",
    Verdict.NOT_SHOWN: "no benefit of {names} is shown",
    Verdict.FIRST_BETTER: "{names} {are} better than it, but not the best either",
    Verdict.TOO_FEW_PAIRS: "{names} {are} undecided, with too few pairs",
}
TURNED = {Verdict.FIRST_BETTER: Verdict.SECOND_BETTER, Verdict.SECOND_BETTER: Verdict.FIRST_BETTER}


@dataclass(frozen=True)
class Answer:
    """What comes first in a report."""

    headline: str
    remarks: list[str]
    """Sentences that belong to it."""


@dataclass(frozen=True)
class Standing:
    """How one arm stands against a rival: one side's view of `Paired`."""

    arm: str
    rival: str
    verdict: Verdict
    """FIRST_BETTER: the arm is better."""
    difference: float
    """In accuracy, arm less rival, percentage points."""
    time_ratio: float | None
    """Seconds per epoch, arm over rival; None where no difference in time is shown."""
    pair: Paired

    @property
    def reversed(self) -> "Standing":
        """The other side's view."""
        verdict, ratio = TURNED.get(self.verdict, self.verdict), self.time_ratio and 1 / self.time_ratio
        return Standing(self.rival, self.arm, verdict, -self.difference, ratio, self.pair)

    @property
    def is_preferable(self) -> bool:
        """Whether to take the arm rather than its rival: for its accuracy, or its speed where accuracies are equal."""
        if self.verdict is Verdict.EQUIVALENT:
            return self.time_ratio is not None and self.time_ratio < 1
        return self.verdict is Verdict.FIRST_BETTER


def answer(comparison: Comparison, images: int) -> Answer:
    """The answer of a comparison; `images` is how many there are to predict."""
    chosen, others = choose(comparison)
    arms = _baseline_first(comparison)
    absent = [arm for arm in arms if arm not in {chosen, *(standing.arm for standing in others)}]
    if len(arms) == 1:
        return Answer(f"Nothing to choose from: {chosen} is the only activation here", [])
    if not others:
        return Answer(f"{_names(arms)} cannot be compared: {_why_not(comparison)}", [])
    baseline = next(arm for arm in arms if arm not in absent)
    judged = [standing for standing in others if standing.verdict is not Verdict.TOO_FEW_PAIRS]
    remarks = []
    if not judged:
        headline = _too_few(chosen, others)
    elif len(others) == 1:
        headline = _headline_of_two(baseline, chosen, others[0], images)
    else:
        headline = _headline(baseline, chosen, others)
        remarks = [f"{s.arm} against {chosen}: it {_effect(s, images)}." for s in judged]
    if absent:
        remarks.append(f"{_names(absent)} cannot be compared with {chosen} pair by pair.")
    if judged:
        remarks.append(
            f"Images: the difference in accuracy, scaled to the {images:,} images to predict; ± is its interval over "
            "seeds and images."
        )
    return Answer(headline, remarks)


def images_to_predict(digits: Digits) -> int:
    """How many images there are to predict; those of the competition where a study's record does not say."""
    return len(digits.image_ids) or TEST_IMAGES


def choose(comparison: Comparison) -> tuple[str, list[Standing]]:
    """The arm to take, and how each arm that it can be compared with stands against it.

    The baseline is kept unless another arm is preferable to it; of several such arms, the one that wins most often
    among them is taken, of equals the first.
    """
    standings = {(s.arm, s.rival): s for result in comparison.paired for s in _both_sides(result)}
    arms = _baseline_first(comparison)
    baseline, *rest = [arm for arm in arms if any(arm == ours for ours, _ in standings)] or arms
    preferable = {key for key, standing in standings.items() if standing.is_preferable}
    better = [arm for arm in rest if (arm, baseline) in preferable]

    def wins(arm: str) -> int:
        return sum(((arm, other) in preferable) - ((other, arm) in preferable) for other in better)

    chosen = max(better, key=wins, default=baseline)
    return chosen, [standings[arm, chosen] for arm in arms if (arm, chosen) in standings]


def _baseline_first(comparison: Comparison) -> list[str]:
    return sorted((arm.activation for arm in comparison.arms), key=lambda arm: arm != BASELINE)


def _both_sides(result: Paired) -> Iterable[Standing]:
    times = result.time_interval
    ratio = result.time_ratio if times and not times[0] <= 1 <= times[1] else None
    standing = Standing(result.first, result.second, result.verdict, result.difference, ratio, result)
    yield from (standing, standing.reversed)


def _too_few(chosen: str, others: Sequence[Standing]) -> str:
    pairs = min(len(standing.pair.points) for standing in others)
    names = [chosen, *(standing.arm for standing in others)]
    known = "; on 42,000 digits neither was shown to be better" if sorted(names) == STUDIED else ""
    return f"This run cannot tell: it has {pairs} of at least {FEWEST_PAIRS} pairs of networks{known}"


def _headline_of_two(baseline: str, chosen: str, other: Standing, images: int) -> str:
    """What to do, and why: what the arm that is not the baseline does, seen from the baseline."""
    challenger = other if chosen == baseline else other.reversed
    name, effect = challenger.arm, _effect(challenger, images)
    does = f"it {effect}" if chosen == name else f"{name} {effect}"
    if challenger.verdict is Verdict.NOT_SHOWN:
        does = f"no benefit of {name} is shown. It {effect}"
    if challenger.verdict is Verdict.EQUIVALENT:
        does = f"{'it' if chosen == name else name} is equally good within {MARGIN} points. It {effect}"
    return f"{'Keep' if chosen == baseline else 'Take'} {chosen}: {does}"


def _headline(baseline: str, chosen: str, others: Sequence[Standing]) -> str:
    """What to do, and why: the other arms, grouped by how they stand."""
    reasons = [
        words.format(names=_names(arms), are="is" if len(arms) == 1 else "are")
        for verdict, words in REASONS.items()
        if (arms := [s.arm for s in others if s.verdict is verdict])
    ]
    return f"{'Keep' if chosen == baseline else 'Take'} {chosen}: {'; '.join(reasons)}"


def _effect(standing: Standing, images: int) -> str:
    """What an arm does more or less than its rival: how many images it reads right, how long it takes."""
    result = standing.pair
    decides_on_equality = standing.verdict is Verdict.EQUIVALENT
    interval = result.equivalence_interval if decides_on_equality else result.interval
    low, high = (bound * images / 100 for bound in interval or (0, 0))
    mean, half_width = abs(standing.difference) * images / 100, (high - low) / 2
    digits = 0 if max(mean, half_width) >= FINE else 1
    text = (
        f"reads {mean:.{digits}f} ± {half_width:.{digits}f} {'fewer' if standing.difference < 0 else 'more'} of "
        f"{images:,} images right ({percent(result.level * (2 if decides_on_equality else 1))})"
    )
    ratio = standing.time_ratio
    if ratio is None or abs(ratio - 1) < NOTABLE:
        return text
    return f"{text} and takes {f'{ratio - 1:.0%} longer' if ratio > 1 else f'{1 - ratio:.0%} less time'}"


def _why_not(comparison: Comparison) -> str:
    vote = comparison.ensembles[-1]
    if not (vote.validation or vote.held_back):
        return "every network trained on all images whose digit is known"
    return "no two of their networks are a fair pair" if comparison.fairness.unequal else "no two share seed and fold"


def _names(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
