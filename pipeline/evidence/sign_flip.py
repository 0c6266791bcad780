"""A test over pairs without a distribution: if two arms are alike, each pair's sign is as likely as its opposite.

References: Fisher 1935, "The Design of Experiments", section 21; Holm 1979, "A simple sequentially rejective multiple
test procedure".
"""

from collections.abc import Sequence

import numpy as np

from pipeline.evidence.intervals import LEVEL


def sign_flip(nets: Sequence[int]) -> float:
    """Exact two-sided p-value: the share of all sign patterns whose sum is at least as far from 0 as the one at hand.

    With n pairs it is never below 2 / 2^n; a sum of 0 has p = 1.

    Args:
        nets: For each pair, the images that only the first network reads right, less those that only the second does.

    >>> sign_flip([5, 3, 1])
    0.25
    """
    reach = int(np.abs(nets).sum())
    chances = np.zeros(2 * reach + 1)  # of each sum from -reach to reach
    chances[reach] = 1
    for net in nets:
        chances = (np.roll(chances, net) + np.roll(chances, -net)) / 2
    return float(chances[np.abs(np.arange(-reach, reach + 1)) >= abs(sum(nets))].sum())


def fewest_pairs(tests: int) -> int:
    """The fewest pairs with which this test can reach 5% at all, after Holm's correction for so many tests."""
    pairs = 1
    while tests * 2 / 2**pairs >= LEVEL:
        pairs += 1
    return pairs


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, each corrected for there being so many (Holm 1979).

    >>> holm([0.5, 0.125])
    [0.5, 0.25]
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.sort(p_values) * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted.tolist()
