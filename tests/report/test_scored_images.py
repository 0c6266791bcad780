from dataclasses import replace

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.report.scored_images import calibration, score_images

TRUTH = np.arange(10, dtype=np.uint8)


@pytest.fixture
def ten():
    """Ten labelled images, and ten held back."""
    images = np.arange(10, dtype=np.uint8).repeat(784).reshape(10, 28, 28)
    return Digits("a test", images, TRUTH, images[::-1], np.arange(1, 11), TRUTH[::-1])


def member(spec, arm, rows, wrong=()):
    """Sure of the right digit, or, for the digits in `wrong`, of the next."""
    guesses = np.where(np.isin(np.arange(10), wrong), (TRUTH + 1) % 10, TRUTH)
    probabilities = 0.82 * np.eye(10, dtype=np.float32)[guesses] + 0.018
    rows = np.array(rows, np.int64)
    return make_member(spec, arm, rows=rows, validation=probabilities[rows], test=probabilities[::-1])


def test_held_back_images_come_first(spec, ten):
    members = [member(spec, "relu", [], wrong=[3, 4]), member(spec, "swish", [], wrong=[4])]
    known = score_images(members, ten)
    assert known.where == "held-back"
    assert known.images is ten.test_images
    assert known.right[::-1].tolist() == [2, 2, 2, 1, 0, 2, 2, 2, 2, 2]
    assert known.members.tolist() == [2] * 10
    assert known.votes["relu"][::-1].argmax(axis=1).tolist() == [0, 1, 2, 4, 5, 5, 6, 7, 8, 9]
    assert known.vote[6].tolist() == pytest.approx([0.018] * 3 + [0.428, 0.428] + [0.018] * 5, abs=1e-6)


def test_else_the_validation_rows_that_all_arms_share(spec, ten):
    unknown = replace(ten, held_back_labels=None)
    members = [
        member(spec, "relu", [1, 3, 5], wrong=[3]),
        member(spec, "relu", [2, 3], wrong=[3]),
        member(spec, "swish", [3, 5, 7]),
    ]
    known = score_images(members, unknown)
    assert known.where == "validation"
    assert known.truth.tolist() == [3, 5]
    assert known.images[:, 0, 0].tolist() == [3, 5]
    assert (known.members.tolist(), known.right.tolist()) == ([3, 2], [1, 2])
    assert [known.votes[arm].argmax(axis=1).tolist() for arm in ("relu", "swish")] == [[4, 5], [3, 5]]
    assert known.vote[0, [3, 4]].tolist() == pytest.approx([(0.838 + 2 * 0.018) / 3, (2 * 0.838 + 0.018) / 3], abs=1e-6)


def test_nothing_known(spec, ten):
    unknown = replace(ten, held_back_labels=None)
    assert score_images([member(spec, "relu", [])], unknown) is None
    assert score_images([member(spec, "relu", [1]), member(spec, "swish", [2])], unknown) is None


def test_calibration_by_hand():
    def sure(digit, confidence):
        row = np.full(10, (1 - confidence) / 9)
        row[digit] = confidence
        return row

    truth = np.array([0, 1, 2, 3, 4])
    probabilities = np.array([sure(0, 0.95), sure(1, 0.91), sure(9, 0.95), sure(3, 0.55), sure(4, 1.0)])
    found, error = calibration(truth, probabilities, fewest=1)
    assert [b.images for b in found] == [1, 4]
    assert (found[0].confidence, found[0].accuracy) == pytest.approx((0.55, 1.0))
    assert (found[1].confidence, found[1].accuracy) == pytest.approx((0.9525, 0.75))
    assert error == pytest.approx((0.45 * 1 + 0.2025 * 4) / 5)
    assert (found[1].low, found[1].high) == pytest.approx((0.3006, 0.9544), abs=1e-4)  # Wilson, 3 of 4


def test_bins_of_few_images_are_joined_and_the_error_stays():
    confidence = np.repeat([0.35, 0.45, 0.55, 0.95, 1.0], [1, 3, 2, 1, 1])
    probabilities = np.zeros((8, 10))
    probabilities[:, 0] = confidence
    probabilities[:, 1] = (1 - confidence) / 2.5
    truth = np.array([1, 0, 0, 1, 0, 0, 0, 0])
    bins, error = calibration(truth, probabilities, fewest=3)
    assert [(b.images, round(b.accuracy, 4)) for b in bins] == [(4, 0.5), (4, 1.0)]
    assert error == pytest.approx((0.35 + abs(3 * 0.45 - 2) + 2 * 0.45 + 0.05) / 8)
    (everything,) = calibration(truth, probabilities, fewest=20)[0]
    assert everything.images == 8
