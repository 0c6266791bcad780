import pytest
from factories import make_member

from pipeline.evidence.fairness import check_fairness

ALIKE = {"rows": "r", "draws": "d", "initial_weights": "w"}


def member(spec, activation, seed, fold, fingerprints):
    return make_member(spec, activation, seed, fold, fingerprints=fingerprints)


def arms(spec, seeds=(0, 1), folds=(0, None), **changed):
    """Three arms whose members recorded the same, but for what is changed of one arm."""
    return {
        arm: [
            member(spec, arm, seed, fold, ALIKE | {"draws": f"{seed} {fold}"} | changed.get(arm, {}))
            for seed in seeds
            for fold in folds
        ]
        for arm in ("relu", "swish", "swish_beta")
    }


def test_members_of_one_seed_and_fold_that_recorded_the_same_are_fair(spec):
    fair, told = check_fairness(arms(spec))
    assert fair == {("swish", "relu"), ("swish_beta", "relu"), ("swish_beta", "swish")}
    assert told.startswith("Checked by digests")
    assert "the training and validation rows, the order and the augmentation of every image, the initial" in told


def test_arms_that_are_unfair_do_not_spoil_the_others(spec):
    fair, told = check_fairness(arms(spec, swish_beta={"draws": "longer"}))
    assert fair == {("swish", "relu")}
    assert told.startswith("Checked by digests")
    assert told.endswith(
        "Not compared pair by pair: swish_beta and relu, swish_beta and swish. Their members of seed 0, fold 0, did "
        "not share the order and the augmentation of every image."
    )


def test_without_pairs_there_is_nothing_to_say(spec):
    groups = {"relu": [member(spec, "relu", 0, 0, {})], "swish": [member(spec, "swish", 1, 0, {})]}
    assert check_fairness(groups) == (set(), "")


@pytest.mark.parametrize(
    ("fingerprints", "how"),
    [
        (ALIKE | {"initial_weights": "x"}, "did not share the initial weights"),
        (ALIKE | {"rows": "x"}, "did not share the training and validation rows"),
        ({"rows": "r", "initial_weights": "w"}, "did not record the order and the augmentation"),
        ({}, "did not record the training and validation rows"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_differs_is_named(fingerprints, how, first, spec):
    odd = [fingerprints, ALIKE] if first else [ALIKE, fingerprints]
    names = ("relu", "swish")
    groups = {
        arm: [member(spec, arm, 0, 0, ALIKE), member(spec, arm, 3, None, recorded)]
        for arm, recorded in zip(names, odd, strict=True)
    }
    fair, told = check_fairness(groups)
    assert fair == set()
    assert f"swish and relu. Their members of seed 3, fold none, {how}" in told
