"""The answer of a comparison: which activation to take, in one sentence, and what to know about it.

Differences in accuracy are given in images to predict: percentage points mean little to most people.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.data.digits import TEST_IMAGES, Digits
from pipeline.evidence.comparison import Comparison
from pipeline.evidence.intervals import Interval
from pipeline.evidence.verdict import MARGIN, SOUND_PAIRS, Paired, Verdict
from pipeline.report.sentences import fairness_lines

BASELINE = "relu"  # what is kept unless another arm is better
NOTABLE = 0.005  # a difference in time that rounds to less than 1% is none
FINE = 10  # images; smaller differences get one decimal
REASONS = {
    Verdict.SECOND_BETTER: "worse",
    Verdict.EQUIVALENT: f"equally good within {MARGIN} points",
    Verdict.NOT_SHOWN: "not shown better",
    Verdict.FIRST_BETTER: "better than it, but not the best either",
    Verdict.TOO_FEW_PAIRS: "undecided, with too few pairs",
}


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
        return Answer(f"{_names(arms)} cannot be compared: {_why_not(comparison)}", fairness_lines(comparison.fairness))
    numbers = [f"{_images(standing, images)}{_time(standing)}" for standing in others]
    headline, remarks = _headline(next(arm for arm in arms if arm not in absent), chosen, others), []
    if len(others) == 1:
        headline += f" ({_images(others[0], images)}){_time(others[0])}"
    else:
        remarks = [f"{s.arm} against {chosen}: {text}." for s, text in zip(others, numbers, strict=True)]
    if absent:
        remarks.append(f"{_names(absent)} cannot be compared with {chosen} pair by pair.")
    remarks += [line for standing in others if (line := _late_line(standing.pair, images))]
    if any(standing.pair.interval for standing in others):
        remarks.append(_reading_aid(others, images))
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
    swapped = {Verdict.FIRST_BETTER: Verdict.SECOND_BETTER, Verdict.SECOND_BETTER: Verdict.FIRST_BETTER}
    verdict, difference = result.verdict, result.difference
    ratio = result.time_ratio if _excludes(result.time_interval, 1) else None
    yield Standing(result.first, result.second, verdict, difference, ratio, result)
    yield Standing(result.second, result.first, swapped.get(verdict, verdict), -difference, ratio and 1 / ratio, result)


def _excludes(interval: Interval | None, value: float) -> bool:
    return interval is not None and not interval[0] <= value <= interval[1]


def _headline(baseline: str, chosen: str, others: Sequence[Standing]) -> str:
    """What to do, and why: the other arms, grouped by how they stand."""
    if all(standing.verdict is Verdict.TOO_FEW_PAIRS for standing in others):
        pairs, fewest = min(len(s.pair.points) for s in others), max(s.pair.fewest_pairs for s in others)
        names = _names([chosen, *(s.arm for s in others)])
        return f"Cannot choose between {names} yet: {pairs} of at least {fewest} pairs"
    reasons = [
        f"{_names(arms)} {'is' if len(arms) == 1 else 'are'} {words}"
        for verdict, words in REASONS.items()
        if (arms := [s.arm for s in others if s.verdict is verdict])
    ]
    return f"{'Keep' if chosen == baseline else 'Take'} {chosen}: {'; '.join(reasons)}"


def _images(standing: Standing, images: int) -> str:
    """The difference in images of those to predict, with its interval."""
    return f"{_in_images(standing.difference, standing.pair.interval, images, '+')} images of {images:,}"


def _in_images(difference: float, interval: Interval | None, images: int, sign: str = "") -> str:
    """Percentage points as a number of images."""
    numbers = [difference, *([(interval[1] - interval[0]) / 2] if interval else [])]
    mean, *half_width = (number * images / 100 for number in numbers)
    digits = 0 if max(abs(mean), *half_width, 0) >= FINE else 1
    return " ± ".join([f"{mean:{sign}z.{digits}f}", *(f"{width:.{digits}f}" for width in half_width)])


def _time(standing: Standing) -> str:
    ratio = standing.time_ratio
    if ratio is None or abs(ratio - 1) < NOTABLE:
        return ""
    return f", {ratio - 1:.0%} slower" if ratio > 1 else f", {1 - ratio:.0%} faster"


def _reading_aid(others: Sequence[Standing], images: int) -> str:
    unreliable = any(len(standing.pair.points) < SOUND_PAIRS for standing in others)
    return (
        f"Images: the difference in accuracy, scaled to the {images:,} images to predict; ± is its 95% interval over "
        f"seeds and images{f', which is not reliable with fewer than {SOUND_PAIRS} pairs' if unreliable else ''}."
    )


def _late_line(result: Paired, images: int) -> str:
    """Which arm was ahead in the late epochs on average, which the last epoch may hide; empty if that is not clear."""
    late = result.late
    if not late or not _excludes(late.interval, 0):
        return ""
    ahead = result.first if late.difference > 0 else result.second
    number = _in_images(abs(late.difference), late.interval, images)
    return (
        f"On average over epochs {late.first_epoch} to {late.last_epoch}, {ahead} was ahead by {number} images of "
        f"{images:,} (interval over pairs)."
    )


def _why_not(comparison: Comparison) -> str:
    vote = comparison.ensembles[-1]
    if not (vote.validation or vote.held_back):
        return "every network trained on all images whose digit is known"
    return "no two of their networks are a fair pair" if comparison.fairness.unequal else "no two share seed and fold"


def _names(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
