"""Which images a pair reads, and what it makes of them."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.evidence.pairs import pairs_of

TRUTH = np.array([0, 1, 2, 3, 4, 5], np.uint8)
HELD_BACK = np.array([6, 7, 8], np.uint8)


@pytest.fixture
def digits():
    images = np.zeros((6, 28, 28), np.uint8)
    return Digits("a test", images, TRUTH, images[:3], np.arange(1, 4), HELD_BACK)


def member(spec, arm, seed, fold, rows, reads, held_back=(6, 7, 8), curve=(), seconds=10.0):
    history = [{"seconds": 99.0}, *({"validation_accuracy": a, "seconds": seconds} for a in curve or (0.5,))]
    history[0] |= {"validation_accuracy": 0.1} if curve else {}
    test = np.eye(10)[list(held_back)]
    return make_member(spec, arm, seed, fold, rows=rows, validation=np.eye(10)[reads], test=test, history=history)


def test_a_pair_reads_its_fold_and_the_held_back_images(spec, digits):
    groups = {
        "relu": [member(spec, "relu", 4, 1, [0, 2, 5], [0, 9, 9], (6, 9, 8)), member(spec, "relu", 5, 0, [1], [1])],
        "swish": [member(spec, "swish", 4, 1, [0, 2, 5], [9, 2, 9], (6, 7, 9)), member(spec, "swish", 6, 0, [1], [1])],
    }
    ((arms, (found,)),) = pairs_of(groups, digits).items()
    assert arms == ("swish", "relu")
    assert (found.seed, found.fold) == (4, 1)
    assert found.images.tolist() == [0, 2, 5, 6, 7, 8]  # held-back images are numbered on from the six rows
    assert found.difference.tolist() == [-1, 1, 0, 0, 1, -1]
    assert found.points == 0
    ((_, (without,)),) = pairs_of(groups, replace(digits, held_back_labels=None)).items()
    assert without.difference.tolist() == [-1, 1, 0]


def test_of_two_networks_the_surer_is_ahead(spec, digits):
    """Swish gives 0.4 and 0 to wrong digits, relu 0.1 and 0.2: positive is in favour of the later arm."""
    validation = {"relu": np.array([[0.9, 0.1], [0.2, 0.8]]), "swish": np.array([[0.6, 0.4], [0.0, 1.0]])}
    groups = {
        arm: [
            make_member(
                spec, arm, rows=[0, 1], validation=np.pad(chances, ((0, 0), (0, 8))), history=[{"seconds": 1.0}] * 2
            )
        ]
        for arm, chances in validation.items()
    }
    ((_, (found,)),) = pairs_of(groups, replace(digits, held_back_labels=None)).items()
    assert found.wrong_probability == pytest.approx([-0.3, 0.2], abs=1e-6)
    assert found.log_loss == pytest.approx([np.log(0.6 / 0.9), np.log(1 / 0.8)], abs=1e-6)


def test_pairs_keep_their_folds(spec, digits):
    groups = {
        arm: [member(spec, arm, seed, fold, [fold], [fold]) for seed in (0, 1) for fold in (0, 3)]
        for arm in ("relu", "swish")
    }
    (pairs,) = pairs_of(groups, digits).values()
    assert [(p.seed, p.fold, p.images[0]) for p in pairs] == [(0, 0, 0), (0, 3, 3), (1, 0, 0), (1, 3, 3)]


def test_accuracy_by_epoch_and_time_ratio(spec, digits):
    groups = {
        "relu": [member(spec, "relu", 0, 0, [0], [0], curve=(0.5, 0.75), seconds=20.0)],
        "swish": [member(spec, "swish", 0, 0, [0], [0], curve=(0.25, 1.0), seconds=30.0)],
    }
    ((_, (found,)),) = pairs_of(groups, digits).items()
    assert found.by_epoch == pytest.approx([0, -25, 25])
    assert found.time_ratio == 1.5
    history = [{"epoch": e, "validation_accuracy": 0.5, "seconds": s} for e, s in enumerate((9.0, 30.0, 90.0, 30.0), 1)]
    groups["swish"] = [replace(groups["swish"][0], history=history)]  # the first compiles, and one waited for others
    assert pairs_of(groups, digits)["swish", "relu"][0].time_ratio == 1.5
    groups["swish"] = [member(spec, "swish", 0, 0, [0], [0], curve=(0.25, 0.5, 1.0))]
    ((_, (longer,)),) = pairs_of(groups, digits).items()
    assert longer.by_epoch.tolist() == []
