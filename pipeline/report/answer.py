"""The answer of a comparison: which activation to take, and why.

Differences in accuracy are given in images to predict: percentage points mean little to most people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evidence.comparison import Comparison
from pipeline.evidence.intervals import FEWEST_PAIRS
from pipeline.evidence.verdict import Paired, Verdict
from pipeline.report.sentences import headline, percent
from pipeline.report.words import joined

BASELINE = "relu"  # what is kept unless another arm is better
STUDIED = {"relu", "swish"}  # the study of 25 pairs, docs/study.md


@dataclass(frozen=True)
class Answer:
    """What comes first in a report."""

    headline: str
    remarks: list[str]
    """Sentences that belong to it."""


def answer(comparison: Comparison, images: int) -> Answer:
    """The answer of a comparison; `images` is how many there are to predict."""
    arms, paired = _baseline_first(comparison), comparison.paired
    if len(arms) == 1:
        return Answer(f"Nothing to choose from: {arms[0]} is the only activation here", [])
    if not paired:
        return Answer(f"{joined(arms)} cannot be compared: {_why_not(comparison)}", [])
    judged = [result for result in paired if result.verdict is not Verdict.TOO_FEW_PAIRS]
    if not judged:
        pairs = min(len(result.points) for result in paired)
        known = "; on 42,000 digits neither was shown to be better" if {*arms} == STUDIED else ""
        return Answer(f"This run cannot tell: it has {pairs} of at least {FEWEST_PAIRS} pairs of networks{known}", [])
    baseline, chosen = choose(arms, paired)
    apart = [arm for arm in arms if not _with(arm, _with(chosen, paired))]
    return Answer(
        f"{'Keep' if chosen == baseline else 'Take'} {chosen}: {'; '.join(map(headline, _with(chosen, paired)))}",
        [
            *(_effect(result, images) for result in _with(chosen, judged)),
            *([f"{joined(apart)} cannot be compared with {chosen} pair by pair."] if apart else []),
            f"Images: the difference in accuracy, scaled to the {images:,} images to predict; ± is its interval over "
            "seeds and images.",
        ],
    )


def choose(arms: Sequence[str], paired: Sequence[Paired]) -> tuple[str, str]:
    """The baseline, which is the first arm that has pairs, and the arm to take.

    The baseline is kept unless another arm is preferable to it; of several, the most accurate one is taken.
    """
    baseline = next(arm for arm in arms if _with(arm, paired))
    gains: dict[str, float] = {}
    for result in _with(baseline, paired):
        better = _preferable(result)
        if better and better != baseline:
            gains[better] = result.difference if better == result.first else -result.difference
    return baseline, max(gains, key=lambda arm: gains[arm], default=baseline)


def _with(arm: str, paired: Sequence[Paired]) -> list[Paired]:
    """The results in which an arm takes part."""
    return [result for result in paired if arm in (result.first, result.second)]


def _preferable(result: Paired) -> str | None:
    """The arm to take of two: the better one, or the faster of equally good ones; None if nothing tells."""
    if result.verdict is Verdict.EQUIVALENT and result.time_interval:
        low, high = result.time_interval
        return result.first if high < 1 else result.second if low > 1 else None
    return {Verdict.FIRST_BETTER: result.first, Verdict.SECOND_BETTER: result.second}.get(result.verdict)


def _baseline_first(comparison: Comparison) -> list[str]:
    return sorted((arm.activation for arm in comparison.arms), key=lambda arm: arm != BASELINE)


def _effect(result: Paired, images: int) -> str:
    """How many more or fewer images the first arm reads right, and how long it takes."""
    is_equal = result.verdict is Verdict.EQUIVALENT  # then that interval decides
    low, high = (result.equivalence_interval if is_equal else result.interval) or (0.0, 0.0)
    to_images = images / 100
    return (
        f"{result.first} reads {abs(result.difference) * to_images:.1f} ± {(high - low) / 2 * to_images:.1f} "
        f"{'fewer' if result.difference < 0 else 'more'} of {images:,} images right than {result.second} "
        f"({percent(result.level * (2 if is_equal else 1))}){_time(result)}."
    )


def _time(result: Paired) -> str:
    """Such as " and takes 11% longer"; empty where no difference is shown."""
    low, high = result.time_interval or (0.0, 2.0)
    more = round(100 * (result.time_ratio - 1))
    if low <= 1 <= high or not more:
        return ""
    return f" and takes {more}% longer" if more > 0 else f" and takes {-more}% less time"


def _why_not(comparison: Comparison) -> str:
    vote = comparison.ensembles[-1]
    if not (vote.validation or vote.held_back):
        return "every network trained on all images whose digit is known"
    return "no two of their networks are a fair pair" if comparison.fairness.unequal else "no two share seed and fold"
