"""Ensembles of one size, by hand."""

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.evidence.intervals import spread_of
from pipeline.evidence.same_size import same_size

TRUTH = np.array([0, 1, 2, 3], np.uint8)
DIGITS = Digits("a test", np.zeros((4, 28, 28), np.uint8), TRUTH, np.zeros((2, 28, 28), np.uint8), np.arange(1, 3))
HELD_BACK = Digits(
    DIGITS.source, DIGITS.images, TRUTH, DIGITS.test_images, DIGITS.image_ids, np.array([5, 6], np.uint8)
)


def member(spec, arm, seed, reads, fold=0, rows=range(4), held_back=(5, 6)):
    """Sure of what it reads; of two that differ, the lower digit wins."""
    return make_member(spec, arm, seed, fold, rows=list(rows), validation=np.eye(10)[reads],
                       test=np.eye(10)[list(held_back)])  # fmt: skip


def groups(spec, relu, swish, **more):
    return {
        arm: [member(spec, arm, seed, reads, **more) for seed, reads in enumerate(readings)]
        for arm, readings in (("relu", relu), ("swish", swish))
    }


def test_ensembles_of_two_by_hand(spec):
    # relu 0 and 1 vote 0, 1, 2, 0: one error; swish 0 and 1 vote 0, 1, 2, 3: none. relu 2 has no partner.
    relu, swish = [[0, 1, 2, 9], [0, 1, 2, 0], [9, 9, 9, 9]], [[0, 1, 9, 3], [9, 1, 2, 3]]
    (found,) = same_size(groups(spec, relu, swish), DIGITS)
    assert (found.size, found.first, found.second, found.blocks, found.images) == (2, "relu", "swish", 1, 4)
    assert (found.first_errors, found.second_errors) == (1, 0)
    # Mixed: relu 0 with swish 1 votes 0, 1, 2, 3, no error; relu 1 with swish 0 votes 0, 1, 2, 0, one.
    assert found.mixed_errors == 0.5
    over_relu, over_swish = found.gains
    assert (over_relu.over, over_relu.errors, over_swish.over, over_swish.errors) == ("relu", 0.5, "swish", -0.5)
    assert over_relu.interval is None  # one block shows no spread


def test_mixed_networks_never_share_a_seed(spec):
    # Networks of one seed misread the same image: only ensembles that mix seeds read them all.
    readings = [[9, 1, 2, 3], [0, 9, 2, 3]]
    (found,) = same_size(groups(spec, readings, readings), DIGITS)
    assert found.mixed_errors == 0


def test_blocks_of_several_folds_are_compared_like_pairs(spec):
    generator = np.random.default_rng(0)
    members = {"relu": [], "swish": []}
    for fold in (0, 1):
        for seed in range(4):
            for group in members.values():
                reads = np.where(generator.random(2) < 0.5, TRUTH[2 * fold : 2 * fold + 2], 9)
                arm = "relu" if group is members["relu"] else "swish"
                group.append(member(spec, arm, seed, reads, fold, (2 * fold, 2 * fold + 1)))
    two, four = same_size(members, DIGITS)
    assert [(e.size, e.blocks, e.images) for e in (two, four)] == [(2, 4, 4), (4, 2, 4)]

    def wrong(fold, *names):
        at = [next(m for m in members[arm] if (m.spec.seed, m.spec.fold) == (seed, fold)) for arm, seed in names]
        vote = np.mean([m.validation_probabilities for m in at], axis=0).argmax(axis=1)
        return (vote != TRUTH[2 * fold : 2 * fold + 2]).astype(float)

    images, readings = [], []
    for fold in (0, 1):
        for a, b in ((0, 1), (2, 3)):
            mixed = (wrong(fold, ("relu", a), ("swish", b)) + wrong(fold, ("relu", b), ("swish", a))) / 2
            readings.append(wrong(fold, ("relu", a), ("relu", b)) - mixed)
            images.append(np.arange(2) + 2 * fold)
    expected = spread_of(images, readings)
    assert two.gains[0].errors == pytest.approx(4 * np.concatenate(readings).mean())
    assert two.gains[0].interval == pytest.approx([4 * x / 100 for x in expected.interval()])
    assert four.gains[0].interval is None  # of two blocks


def test_held_back_images_count(spec):
    relu = [[0, 1, 2, 3]] * 2
    (found,) = same_size(groups(spec, relu, relu, held_back=(9, 6)), HELD_BACK)
    assert (found.images, found.first_errors) == (6, 1)
    only = {arm: [make_member(spec, arm, seed, None, test=np.eye(10)[[5, 9]]) for seed in (0, 1)]
            for arm in ("relu", "swish")}  # fmt: skip
    (found,) = same_size(only, HELD_BACK)
    assert (found.images, found.mixed_errors) == (2, 1)
    assert same_size(only, DIGITS) == []


def test_a_single_seed_fills_no_even_size(spec):
    assert same_size(groups(spec, [[0, 1, 2, 3]], [[0, 1, 2, 3]]), DIGITS) == []
