"""What mixing arms adds to a vote: ensembles of one size, all of one arm, all of the other, or half and half.

Seeds are cut into blocks of the ensembles' size. A block's ensembles share its fold, and in a mixed one no two networks
have the same seed: those would share initial weights and draws, and so more of their errors. Blocks have no network in
common, so their gains are compared as pairs are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.digits import Digits
from pipeline.evidence.intervals import FEWEST_PAIRS, Interval, spread_of
from pipeline.evidence.judged import Judges, judged_images
from pipeline.records.members import Member

Wrong = NDArray[np.float64]  # per image, the share of ensembles that misread it


@dataclass(frozen=True)
class Gain:
    """How many errors fewer a mixed ensemble makes than one of a single arm."""

    over: str
    """That arm."""
    errors: float
    """Of the images; negative where the mixed ensemble makes more."""
    interval: Interval | None
    """95%, over seeds and images; None with fewer than 3 blocks."""


@dataclass(frozen=True)
class SameSize:
    """Ensembles of one size from two arms."""

    size: int
    first: str
    second: str
    blocks: int
    """Blocks of disjoint seeds, each within one fold; of each come one ensemble per arm and two mixed ones."""
    images: int
    """Distinct images; all errors are of so many."""
    first_errors: float
    """Of the ensemble of the first arm, on average."""
    second_errors: float
    mixed_errors: float
    gains: list[Gain]
    """Of the mixed ensemble, over the first arm and over the second."""


@dataclass(frozen=True)
class _Block:
    images: NDArray[np.int64]
    first: Wrong
    second: Wrong
    mixed: Wrong


def same_size(groups: Mapping[str, Sequence[Member]], digits: Digits) -> list[SameSize]:
    """Ensembles of 2, and of the largest even size that two arms can both fill, on images that they did not train on.

    Args:
        groups: The members by arm.
        digits: Their data; held-back images count where their digits are known.
    """
    found = []
    for (first, ours), (second, theirs) in combinations(groups.items(), 2):
        folds = _common(ours, theirs)
        largest = max((len(pairs) // 2 * 2 for pairs in folds), default=0)
        for size in sorted({2, largest}) if largest else []:
            blocks = [block for pairs in folds for block in _blocks(pairs, size, digits)]
            if blocks:
                found.append(_summary(size, first, second, blocks))
    return found


def _common(ours: Sequence[Member], theirs: Sequence[Member]) -> list[list[tuple[Member, Member]]]:
    """For each fold, the members of two arms by seed; only seeds that both have."""
    one, other = ({(m.spec.fold, m.spec.seed): m for m in group} for group in (ours, theirs))
    keys = sorted(one.keys() & other.keys(), key=lambda key: (key[0] or 0, key[1]))
    return [[(one[k], other[k]) for k in keys if k[0] == fold] for fold in dict.fromkeys(fold for fold, _ in keys)]


def _blocks(pairs: Sequence[tuple[Member, Member]], size: int, digits: Digits) -> Iterator[_Block]:
    images = judged_images(Judges.BOTH, digits, *([member] for pair in pairs for member in pair))
    if not len(images):
        return

    def wrong(*members: Member) -> Wrong:
        return (~images.right(members)).astype(np.float64)

    for start in range(0, len(pairs) - size + 1, size):
        first, second = zip(*pairs[start : start + size], strict=True)
        half = size // 2
        mixed = wrong(*first[:half], *second[half:]), wrong(*first[half:], *second[:half])
        yield _Block(images.numbers, wrong(*first), wrong(*second), np.mean(mixed, axis=0))


def _summary(size: int, first: str, second: str, blocks: Sequence[_Block]) -> SameSize:
    images = len(np.unique(np.concatenate([block.images for block in blocks])))

    def errors(wrong: Sequence[Wrong]) -> float:
        return float(images * np.concatenate(wrong).mean())

    def gain(over: str, pure: Sequence[Wrong]) -> Gain:
        readings: list[Any] = [own - block.mixed for own, block in zip(pure, blocks, strict=True)]
        to_errors = images / 100
        mean = float(images * np.concatenate(readings).mean())
        if len(blocks) < FEWEST_PAIRS:
            return Gain(over, mean, None)
        low, high = spread_of([block.images for block in blocks], readings).interval()
        return Gain(over, mean, (low * to_errors, high * to_errors))

    ours, theirs = [block.first for block in blocks], [block.second for block in blocks]
    return SameSize(
        size=size,
        first=first,
        second=second,
        blocks=len(blocks),
        images=images,
        first_errors=errors(ours),
        second_errors=errors(theirs),
        mixed_errors=errors([block.mixed for block in blocks]),
        gains=[gain(first, ours), gain(second, theirs)],
    )
