"""Which images judge whom, and who reads them right: one table by hand, for every policy."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.evidence.judged import Judges, judged_images, log_losses, wrong_probabilities
from pipeline.records.scores import Score

TRUTH = np.array([0, 1, 2, 3, 4, 5], np.uint8)
BLANK = np.zeros((6, 28, 28), np.uint8)
DIGITS = Digits("a test", BLANK, TRUTH, BLANK[:3], np.arange(1, 4), np.array([6, 7, 8], np.uint8))
UNKNOWN = replace(DIGITS, held_back_labels=None)


def member(spec, rows, reads, test=(6, 7, 8), sure=0.91):
    """Gives `sure` to each digit that it reads, and a hundredth to most others."""
    validation, held_back = (np.full((len(digits), 10), (1 - sure) / 9) for digits in (reads, test))
    validation[np.arange(len(reads)), reads] = sure
    held_back[np.arange(len(test)), test] = sure
    return make_member(spec, rows=rows, validation=validation, test=held_back)


@pytest.fixture
def groups(spec):
    """Two groups of two folds; row 2 is judged by two networks of the first, row 3 by none of the second."""
    first = [member(spec, [4, 0, 2], [4, 0, 9]), member(spec, [2, 3], [2, 9], (6, 9, 9), sure=0.955)]
    second = [member(spec, [0, 1, 2], [0, 1, 9]), member(spec, [5, 4], [5, 9], (9, 9, 8))]
    return first, second


def test_validation_rows_are_those_that_every_group_predicted(groups):
    images = judged_images(Judges.VALIDATION, DIGITS, *groups)
    assert (images.numbers.tolist(), images.truth.tolist()) == ([0, 2, 4], [0, 2, 4])
    assert images.voters(groups[0]).tolist() == [1, 2, 1]
    assert images.right(groups[0]).tolist() == [True, True, True]  # on row 2, the surer one decides
    assert images.right(groups[1]).tolist() == [True, False, False]
    assert (images.score(groups[0]), images.score(groups[1])) == (Score(3, 0), Score(3, 2))
    alone = judged_images(Judges.VALIDATION, DIGITS, groups[0])
    assert (alone.numbers.tolist(), alone.right(groups[0]).tolist()) == ([0, 2, 3, 4], [True, True, False, True])


def test_probabilities_are_means_of_those_that_did_not_train_on_the_image(groups):
    vote = judged_images(Judges.VALIDATION, DIGITS, groups[0]).vote(groups[0])
    assert vote.dtype == np.float64
    assert vote[[0, 2], [0, 9]] == pytest.approx([0.91, 0.955])
    assert vote[1, [2, 9]] == pytest.approx([(0.01 + 0.955) / 2, (0.91 + 0.005) / 2])


def test_on_held_back_images_all_vote(groups):
    for policy in (Judges.HELD_BACK, Judges.BEST):
        images = judged_images(policy, DIGITS, *groups)
        assert (images.where, images.numbers.tolist(), images.truth.tolist()) == ("held-back", [6, 7, 8], [6, 7, 8])
        assert images.voters(groups[1]).tolist() == [2, 2, 2]
        assert images.right(groups[0]).tolist() == [True, False, False]


def test_both_kinds_are_numbered_one_after_the_other(groups):
    images = judged_images(Judges.BOTH, DIGITS, *groups)
    assert images.numbers.tolist() == [0, 2, 4, 6, 7, 8]
    assert images.right(groups[1]).tolist() == [True, False, False, True, True, True]


def test_without_held_back_digits_the_validation_rows_are_all_there_is(groups):
    for policy in (Judges.BEST, Judges.BOTH, Judges.VALIDATION):
        assert judged_images(policy, UNKNOWN, *groups).numbers.tolist() == [0, 2, 4]
    assert judged_images(Judges.BEST, UNKNOWN, *groups).where == "validation"
    assert len(judged_images(Judges.HELD_BACK, UNKNOWN, *groups)) == 0


def test_members_that_trained_on_all_rows_are_judged_by_none(spec):
    everything = [member(spec, [], [])] * 2
    images = judged_images(Judges.BOTH, UNKNOWN, everything)
    assert (len(images), images.vote(everything).shape) == (0, (0, 10))


def test_half_precision_keeps_how_little_goes_to_wrong_digits():
    """A float16 rounds 0.9999 to 1, and 0.0001 hardly. Where a network is sure of a wrong digit, p(right) is kept."""
    probabilities = np.zeros((2, 10), np.float16)
    probabilities[0, [3, 5]] = 0.9999, 0.0001
    probabilities[1, [3, 5]] = 0.0002, 0.9998
    truth = np.array([3, 3])
    assert wrong_probabilities(probabilities, truth) == pytest.approx([0.0001, 0.9998], rel=1e-3)
    assert log_losses(probabilities, truth) == pytest.approx([0.0001, -np.log(0.0002)], rel=1e-3)
    assert log_losses(np.eye(10)[:1], [5]) == pytest.approx([-np.log(1e-7)])  # a sure mistake stays finite
