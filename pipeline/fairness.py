"""Whether members that are compared as a pair shared all but the activation, proved by what they recorded."""

from collections import defaultdict
from collections.abc import Sequence

from pipeline.members import Member

# What the members of a pair record a digest of, in words.
FINGERPRINTS = {
    "rows": "the training and validation rows",
    "draws": "the order and the augmentation of every image",
    "initial_weights": "the initial weights",
}


def check_fairness(members: Sequence[Member]) -> tuple[bool, str]:
    """Whether members of the same seed and fold shared all but the activation, by the digests they recorded; and why.

    Returns:
        True or False, and a sentence that says what was found; empty when no two members share seed and fold.
    """
    partners: dict[tuple[int, int | None], list[Member]] = defaultdict(list)
    for member in members:
        partners[member.spec.seed, member.spec.fold].append(member)
    paired = [group for group in partners.values() if len(group) > 1]
    for group in paired:
        for other in group[1:]:
            for kind in FINGERPRINTS:
                ours, theirs = group[0].fingerprints.get(kind), other.fingerprints.get(kind)
                if ours is None or ours != theirs:
                    how = "did not record" if ours is None or theirs is None else "did not share"
                    names = f"{group[0].spec.id} and {other.spec.id}"
                    return False, f"The arms are not compared pair by pair: {names} {how} {FINGERPRINTS[kind]}."
    if not paired:
        return True, ""
    return True, f"Checked by digests: within each pair the members shared {', '.join(FINGERPRINTS.values())}."
