"""What pairs of members say in words: which of two arms is better, or that they are equal, or what it takes to tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import norm

from pipeline.evidence.pairs import LEVEL, Pair, Paired, bootstrap_means, holm, measure

MARGIN = 0.03  # percentage points; closer than this, two activations are as good as each other here
MOST_PAIRS = 1000  # a need beyond this is no plan


def compare_pairs(pairs: Mapping[tuple[str, str], Sequence[Pair]], seed: int = 0) -> list[Paired]:
    """Compare arms from their pairs.

    Args:
        pairs: By the names of two arms, at least one pair each.
        seed: Seed of the bootstrap and of the permutations.
    """
    generator = np.random.default_rng(seed)
    results = [measure(first, second, list(group), generator) for (first, second), group in pairs.items()]
    adjusted = iter(holm([result.p_value for result in results if result.p_value is not None]))
    results = [r if r.p_value is None else replace(r, p_adjusted=next(adjusted)) for r in results]
    return [_judged(result, list(group)) for result, group in zip(results, pairs.values(), strict=True)]


def _judged(result: Paired, pairs: list[Pair]) -> Paired:
    """Add the headline and what would settle the matter."""
    first, second = result.first, result.second
    if result.interval is None or result.equivalence_interval is None or result.p_adjusted is None:
        verdict = f"{first} against {second}: one pair of networks, which shows no spread and so decides nothing"
        return replace(result, verdict=verdict)
    low, high = result.interval
    if result.p_adjusted < LEVEL and low > 0:
        return replace(result, verdict=f"{first} is better than {second}", more_pairs=0)
    if result.p_adjusted < LEVEL and high < 0:
        return replace(result, verdict=f"{second} is better than {first}", more_pairs=0)
    low, high = result.equivalence_interval
    if low > -MARGIN and high < MARGIN and _can_show_equivalence(pairs):
        verdict = f"{first} and {second} are equivalent within {MARGIN} points"
        return replace(result, verdict=verdict, more_pairs=0)
    verdict = f"no difference between {first} and {second} is shown"
    return replace(result, verdict=verdict, more_pairs=_more_pairs(result.difference, pairs))


def _can_show_equivalence(pairs: Sequence[Pair]) -> bool:
    """Whether there are enough images: what none of n shows may still befall 3 in n (the rule of three)."""
    images = sum({pair.fold: len(pair.difference) for pair in pairs}.values())
    return 100 * 3 / images < MARGIN


def _more_pairs(difference: float, pairs: list[Pair]) -> int | None:
    """Pairs to add until the difference, if it stays, is shown, or equivalence is; None if more images are needed."""
    of_pairs = float(np.var([pair.points for pair in pairs], ddof=1))
    of_images = float(np.var(bootstrap_means(pairs, np.random.default_rng(0), over_pairs=False)))
    ways = [(abs(difference), LEVEL)]
    if _can_show_equivalence(pairs):
        ways.append((MARGIN - abs(difference), 2 * LEVEL))
    needs = []
    for width, level in ways:
        # The interval's half-width is z·sqrt(of_pairs / n + of_images); it has to be below `width`.
        left = (width / norm.ppf(1 - level / 2)) ** 2 - of_images
        if width > 0 and left > 0:
            needs.append(max(math.ceil(of_pairs / left), len(pairs) + 1))
    return min(needs) - len(pairs) if needs and min(needs) <= MOST_PAIRS else None


def describe(result: Paired) -> str:
    """The headline and the numbers behind it."""
    return f"{result.verdict}: {details(result)}"


def details(result: Paired) -> str:
    """The numbers behind the headline, in a sentence or two."""
    text = f"{result.difference:+z.3f} points"  # z: a mean that rounds to zero has no sign
    if result.interval:
        text += f" (95% interval {result.interval[0]:+z.3f} to {result.interval[1]:+z.3f})"
    text += f" over {_pairs(len(result.points))}"
    if result.p_adjusted is not None:
        text += f", P({result.first} > {result.second}) = {result.first_better:.2f}, p = {result.p_adjusted:.3g}"
    if result.interval and result.more_pairs is None:
        text += ". More pairs alone would not settle it: it takes more images"
    elif result.more_pairs:
        text += f". If the difference stays, about {_pairs(result.more_pairs, 'more ')} would settle it (--seeds)"
    ratio = f"{result.time_ratio:.2f}" + (
        f" (95% interval {result.time_interval[0]:.2f} to {result.time_interval[1]:.2f})"
        if result.time_interval
        else ""
    )
    return f"{text}. Time per epoch: {ratio} times {result.second}'s."


def _pairs(count: int, more: str = "") -> str:
    return f"{count} {more}pair{'s' if count != 1 else ''}"
