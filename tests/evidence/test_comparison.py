from dataclasses import replace

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.evidence.comparison import compare
from pipeline.evidence.fairness import Fairness
from pipeline.evidence.verdict import Verdict
from pipeline.records.scores import log_loss

TRUTH = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], np.uint8)


@pytest.fixture
def ten():
    """One labelled and one held-back image per digit."""
    images = np.zeros((10, 28, 28), np.uint8)
    return Digits("a test", images, TRUTH, images, np.arange(1, 11), TRUTH)


def member(spec, activation, seed, wrong, seconds, fold=0):
    """A member that is wrong about the first `wrong` digits, and sure of itself."""
    guesses = np.where(np.arange(10) < wrong, (TRUTH + 1) % 10, TRUTH)
    probabilities = np.eye(10, dtype=np.float32)[guesses]
    rows = np.arange(10) if fold is not None else np.arange(0)
    return make_member(
        spec,
        activation,
        seed,
        fold,
        rows=rows,
        validation=probabilities[rows],
        test=probabilities,
        history=[{"seconds": s} for s in seconds],
        fingerprints={"rows": f"{fold}", "draws": f"{seed}", "initial_weights": f"{seed}"},
    )


def test_table_by_hand(spec, ten):
    members = [
        member(spec, "relu", 0, 2, [99, 10, 12, 11]),
        member(spec, "swish", 0, 1, [99, 22, 22, 22]),
        member(spec, "relu", 1, 4, [99, 20]),
        member(spec, "swish", 1, 1, [99, 30]),
    ]
    result = compare(members, ten, {"elu-s0-f0": "why"})
    relu, swish = result.arms
    assert [s.errors for s in relu.validation] == [2, 4]
    assert [s.accuracy for s in relu.validation] == [pytest.approx(0.8), pytest.approx(0.6)]
    assert [s.errors for s in swish.held_back] == [1, 1]
    assert relu.seconds_per_epoch == 11.5  # of 10, 12, 11, 20
    # Of the digits that half of the members get wrong, the wrong guess d + 1 ties with d, and the lower one wins.
    assert {e.name: (e.members, e.votes, e.validation.errors) for e in result.ensembles} == {
        "relu": (2, 2, 2),
        "swish": (2, 2, 1),
        "all": (4, 4, 1),
    }
    assert result.failed == {"elu-s0-f0": "why"}
    (same_size,) = result.same_size  # on the ten rows and the ten held-back images
    assert (same_size.size, same_size.blocks, same_size.images) == (2, 1, 20)
    # In a mixed ensemble, swish's right digit, the lower one, wins every tie.
    assert (same_size.first_errors, same_size.second_errors, same_size.mixed_errors) == (4, 2, 2)


def test_without_validation_or_held_back(spec, ten):
    unlabelled = replace(ten, held_back_labels=None)
    result = compare([member(spec, "swish", 0, 1, [5], fold=None)], unlabelled, {})
    assert result.arms[0].validation == result.arms[0].held_back == []
    assert result.arms[0].seconds_per_epoch == 5
    assert [(e.name, e.validation, e.held_back) for e in result.ensembles] == [("swish", None, None)]
    assert result.paired == []
    assert result.fairness == Fairness([], [], [])


def test_arms_are_compared_pair_by_pair_the_later_first(spec, ten):
    members = [
        member(spec, "relu", 0, 2, [9, 10]),
        member(spec, "swish", 0, 1, [9, 20]),
        member(spec, "relu", 1, 4, [9, 10]),
        member(spec, "swish", 1, 1, [9, 20]),
        member(spec, "swish", 2, 1, [9, 20]),
    ]
    result = compare(members, ten, {})
    (paired,) = result.paired
    assert (paired.first, paired.second, paired.points) == ("swish", "relu", [pytest.approx(10), pytest.approx(30)])
    assert paired.time_ratio == pytest.approx(2)
    assert (paired.images, result.fairness.fair) == (20, [("swish", "relu")])


def test_unfair_pairs_are_not_compared(spec, ten):
    members = [member(spec, "relu", 0, 2, [1]), replace(member(spec, "swish", 0, 1, [1]), fingerprints={})]
    result = compare(members, ten, {})
    assert result.paired == []
    assert result.fairness.fair == []
    assert len(result.arms) == 2


def test_each_vote_counts_where_it_is_cast(spec, ten):
    """Of four members in two folds, two vote on each row."""
    members = [
        replace(member(spec, "relu", seed, 0, [1], fold=fold), validation_rows=np.arange(5) + 5 * fold,
                validation_probabilities=np.eye(10, dtype=np.float32)[TRUTH[:5] + 5 * fold])
        for seed in (0, 1) for fold in (0, 1)
    ]  # fmt: skip
    (ensemble,) = compare(members, ten, {}).ensembles
    assert (ensemble.members, ensemble.votes, ensemble.validation.images) == (4, 2, 10)
    assert compare(members[:3], ten, {}).ensembles[0].votes == 1.5  # a fold has two, the other one


def test_held_back_images_judge_a_run_without_folds(spec, ten):
    members = [
        member(spec, arm, seed, wrong, [9, 10], fold=None)
        for seed in range(7)
        for arm, wrong in (("relu", 4), ("swish", 1 + seed % 2))
    ]
    result = compare(members, ten, {})
    (paired,) = result.paired
    assert (paired.images, paired.difference) == (10, pytest.approx(100 * (4 - 10 / 7) / 10))
    assert (paired.first_ahead, paired.verdict) == (7, Verdict.NOT_SHOWN)  # all pairs agree, but on ten images
    assert paired.by_epoch == []
    assert [size.size for size in result.same_size] == [2, 6]
    assert compare(members, replace(ten, held_back_labels=None), {}).paired == []


def test_log_loss_by_hand():
    assert log_loss(np.array([0.5, 0.25])) == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert log_loss(np.array([0.0])) == pytest.approx(-np.log(1e-7))  # a sure mistake stays finite
