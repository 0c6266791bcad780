"""What each arm adds: ensembles of one size from one arm, from the other, and from both."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.soft_vote import predicted_labels
from pipeline.ensemble.voters import Voters

MOST_ENSEMBLES = 100  # of one size and composition that are tried; drawn at random where there are more


@dataclass(frozen=True)
class SameSize:
    """Ensembles of one size."""

    composition: str
    """Such as "4 relu" or "2 relu + 2 swish"."""
    ensembles: int
    """How many were tried."""
    mean_errors: float
    """Of one of them."""
    images: int


def same_size(voters: Voters, held_back: NDArray[np.uint8] | None) -> list[SameSize]:
    """Ensembles of the largest even size that two arms can both fill: of one, of the other, of half and half.

    Args:
        voters: The run's voters.
        held_back: Digits of the test images where they are known: then these are what is predicted.
    """
    truth = voters.truth if held_back is None else held_back
    probabilities = voters.probabilities if held_back is None else voters.test_probabilities
    arms: dict[str, list[int]] = defaultdict(list)
    for i, (arm, _) in enumerate(voters.names):
        arms[arm].append(i)
    found: dict[str, SameSize] = {}
    for (first, ours), (second, theirs) in combinations(arms.items(), 2):
        size = min(len(ours), len(theirs)) // 2 * 2
        if not size:
            continue
        for name, parts in (
            (f"{size} {first}", [(ours, size)]),
            (f"{size} {second}", [(theirs, size)]),
            (f"{size // 2} {first} + {size // 2} {second}", [(ours, size // 2), (theirs, size // 2)]),
        ):
            tried = _ensembles(parts)
            errors = [int((predicted_labels(probabilities[list(e)].mean(axis=0)) != truth).sum()) for e in tried]
            found[name] = SameSize(name, len(tried), float(np.mean(errors)), len(truth))
    return list(found.values())


def _ensembles(parts: Sequence[tuple[Sequence[int], int]]) -> list[tuple[Any, ...]]:
    """Ways of taking so many of each group: all of them, or as many at random as are tried at most."""
    if np.prod([comb(len(group), count) for group, count in parts]) <= MOST_ENSEMBLES:
        chosen = product(*(combinations(group, count) for group, count in parts))
        return [sum(choice, ()) for choice in chosen]
    generator = np.random.default_rng(0)
    return [
        tuple(np.concatenate([generator.choice(group, count, replace=False) for group, count in parts]))
        for _ in range(MOST_ENSEMBLES)
    ]
