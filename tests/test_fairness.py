from dataclasses import replace

import numpy as np
import pytest

from pipeline.fairness import check_fairness
from pipeline.members import Member

ALIKE = {"rows": "r", "draws": "d", "initial_weights": "w"}
NOTHING = np.empty((0, 10), np.float32)


def member(spec, activation, seed, fold, fingerprints):
    spec = replace(spec, activation=activation, seed=seed, fold=fold)
    return Member(spec, [], np.arange(0), NOTHING, NOTHING, {}, fingerprints, [], activation)


def test_members_of_one_seed_and_fold_that_recorded_the_same_are_fair(spec):
    pairs = [
        member(spec, arm, seed, fold, ALIKE | {"draws": f"{seed} {fold}"})
        for arm in ("relu", "swish", "swish_beta")
        for seed in (0, 1)
        for fold in (0, None)
    ]
    fair, told = check_fairness(pairs)
    assert fair
    assert "the training and validation rows, the order and the augmentation of every image, the initial" in told


def test_without_pairs_there_is_nothing_to_say(spec):
    assert check_fairness([member(spec, "relu", 0, 0, {}), member(spec, "swish", 1, 0, {})]) == (True, "")


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
def test_one_that_differs_is_named_with_what_differs(fingerprints, how, first, spec):
    odd = [fingerprints, ALIKE] if first else [ALIKE, fingerprints]
    pair = [member(spec, arm, 3, 1, recorded) for arm, recorded in zip(("relu", "swish"), odd, strict=True)]
    fair, told = check_fairness([member(spec, "relu", 0, 0, ALIKE), *pair])
    assert not fair
    assert f"relu-s3-f1 and swish-s3-f1 {how}" in told
