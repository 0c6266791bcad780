"""Whether members that are compared as a pair shared all but the activation, proved by what they recorded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from pipeline.records.members import Member

# What the members of a pair record a digest of, in words.
FINGERPRINTS = {
    "rows": "the training and validation rows",
    "draws": "the order and the augmentation of every image",
    "initial_weights": "the initial weights",
}


def partners(ours: Sequence[Member], theirs: Sequence[Member]) -> list[tuple[Member, Member]]:
    """The members of two arms that have seed and fold in common, pair by pair."""
    others = {(member.spec.seed, member.spec.fold): member for member in theirs}
    keys = [(member.spec.seed, member.spec.fold) for member in ours]
    return [(member, others[key]) for member, key in zip(ours, keys, strict=True) if key in others]


def check_fairness(groups: Mapping[str, Sequence[Member]]) -> tuple[set[tuple[str, str]], str]:
    """Which arms may be compared pair by pair, by the digests that their members recorded.

    Args:
        groups: The members by arm.

    Returns:
        The fair couples of arms, the later arm first, and what was found, in words; empty where no two members share
        seed and fold.
    """
    fair: set[tuple[str, str]] = set()
    unfair: dict[str, list[str]] = defaultdict(list)
    for (second, theirs), (first, ours) in combinations(groups.items(), 2):
        pairs = partners(ours, theirs)
        if difference := next(filter(None, (_difference(*pair) for pair in pairs)), None):
            unfair[difference].append(f"{first} and {second}")
        elif pairs:
            fair.add((first, second))
    told = (
        [f"Checked by digests: within each pair the members shared {', '.join(FINGERPRINTS.values())}."] if fair else []
    )
    told += [
        f"Not compared pair by pair: {', '.join(arms)}. Their members {difference}."
        for difference, arms in unfair.items()
    ]
    return fair, " ".join(told)


def _difference(one: Member, other: Member) -> str | None:
    """What two members do not have in common, or cannot prove to have; None if nothing."""
    where = f"of seed {one.spec.seed}, fold {'none' if one.spec.fold is None else one.spec.fold}"
    for kind, words in FINGERPRINTS.items():
        ours, theirs = one.fingerprints.get(kind), other.fingerprints.get(kind)
        if ours is None or theirs is None:
            return f"{where}, did not record {words}"
        if ours != theirs:
            return f"{where}, did not share {words}"
    return None
