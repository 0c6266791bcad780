"""Whether members that are compared as a pair shared all but the activation, proved by what they recorded."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

from pipeline.records.members import Member


class Shared(StrEnum):
    """What the two members of a pair should have in common."""

    ROWS = "rows"
    DRAWS = "draws"
    INITIAL_WEIGHTS = "initial_weights"
    DROPOUT = "dropout"
    LEARNING_RATES = "learning_rates"
    PRECISION = "precision"
    DEVICE = "device"


# Without these, two members are no pair.
REQUIRED = (Shared.ROWS, Shared.DRAWS, Shared.INITIAL_WEIGHTS)
NO_DROPOUT = hashlib.sha256().hexdigest()  # of a network without such a layer


@dataclass(frozen=True)
class Unequal:
    """Something that pairs of two arms did not have in common, or that they did not record."""

    first: str
    second: str
    what: Shared
    recorded: bool
    """False where a member did not record it, so that nobody can tell."""
    pairs: int
    """How many pairs, and of how many."""
    of: int


@dataclass(frozen=True)
class Fairness:
    """Which arms may be compared pair by pair, and what their pairs did not share."""

    fair: list[tuple[str, str]]
    """Arms, the later first, whose pairs shared all that is required."""
    unequal: list[Unequal]
    shared: list[Shared]
    """What all fair pairs had in common. Draws of dropout do not count where there is no dropout."""


def partners(ours: Sequence[Member], theirs: Sequence[Member]) -> list[tuple[Member, Member]]:
    """The members of two arms that have seed and fold in common, pair by pair."""
    others = {(member.spec.seed, member.spec.fold): member for member in theirs}
    keys = [(member.spec.seed, member.spec.fold) for member in ours]
    return [(member, others[key]) for member, key in zip(ours, keys, strict=True) if key in others]


def check_fairness(groups: Mapping[str, Sequence[Member]]) -> Fairness:
    """Compare what the members of each pair recorded; `groups` are the members by arm."""
    fair, unequal = [], []
    for (second, theirs), (first, ours) in combinations(groups.items(), 2):
        if pairs := partners(ours, theirs):
            found = [u for what in Shared if (u := _unequal(first, second, what, pairs))]
            unequal += found
            if not any(u.what in REQUIRED for u in found):
                fair.append((first, second))
    odd = {u.what for u in unequal if (u.first, u.second) in fair}
    draws_none = all(m.fingerprints.get(Shared.DROPOUT) == NO_DROPOUT for group in groups.values() for m in group)
    shared = [what for what in Shared if what not in odd and not (what is Shared.DROPOUT and draws_none)]
    return Fairness(fair, unequal, shared if fair else [])


def _unequal(first: str, second: str, what: Shared, pairs: Sequence[tuple[Member, Member]]) -> Unequal | None:
    """What the pairs of two arms do not have in common, or cannot prove to have; None if nothing."""
    records = [(_recorded(one, what), _recorded(other, what)) for one, other in pairs]
    odd = [(ours, theirs) for ours, theirs in records if ours is None or ours != theirs]
    if not odd:
        return None
    recorded = all(record is not None for pair in odd for record in pair)
    return Unequal(first, second, what, recorded, len(odd), len(pairs))


def _recorded(member: Member, what: Shared) -> Any:
    """What a member recorded; None if it did not."""
    if what in (Shared.PRECISION, Shared.DEVICE):
        return member.environment.get(what)
    if what is not Shared.LEARNING_RATES:
        return member.fingerprints.get(what)
    rates = [record.get("learning_rate") for record in member.history]
    return rates if rates and None not in rates else None
