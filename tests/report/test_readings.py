from dataclasses import replace

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.report.readings import known_readings, unlabelled_readings

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
    known = known_readings(members, ten)
    assert known.where == "held-back"
    assert known.images is ten.test_images
    assert (known.id_name, known.ids.tolist()) == ("ImageId", list(range(1, 11)))
    assert known.truth[known.mistakes].tolist() == [4]
    assert known.votes["relu"][::-1].argmax(axis=1).tolist() == [0, 1, 2, 4, 5, 5, 6, 7, 8, 9]
    assert known.vote[6].tolist() == pytest.approx([0.018] * 3 + [0.428, 0.428] + [0.018] * 5, abs=1e-6)


def test_else_the_validation_rows_that_all_arms_share(spec, ten):
    unknown = replace(ten, held_back_labels=None)
    members = [
        member(spec, "relu", [1, 3, 5], wrong=[3]),
        member(spec, "relu", [2, 3], wrong=[3]),
        member(spec, "swish", [3, 5, 7]),
    ]
    known = known_readings(members, unknown)
    assert known.where == "validation"
    assert known.truth.tolist() == [3, 5]
    assert known.images[:, 0, 0].tolist() == [3, 5]
    assert (known.id_name, known.ids.tolist()) == ("train_row", [3, 5])
    assert [known.votes[arm].argmax(axis=1).tolist() for arm in ("relu", "swish")] == [[4, 5], [3, 5]]
    assert known.vote[0, [3, 4]].tolist() == pytest.approx([(0.838 + 2 * 0.018) / 3, (2 * 0.838 + 0.018) / 3], abs=1e-6)


def test_nothing_known(spec, ten):
    unknown = replace(ten, held_back_labels=None)
    assert known_readings([member(spec, "relu", [])], unknown) is None
    assert known_readings([member(spec, "relu", [1]), member(spec, "swish", [2])], unknown) is None


def test_images_to_predict_have_readings_where_nobody_knows_their_digits(spec, ten):
    members = [member(spec, "relu", [], wrong=[3]), member(spec, "swish", [])]
    assert unlabelled_readings(members, ten) is None
    read = unlabelled_readings(members, replace(ten, held_back_labels=None))
    assert (read.where, len(read.truth)) == ("unlabelled", 0)
    assert read.guesses.tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]  # of two equally sure, the lower
    assert read.certainty[6] == pytest.approx(0.428)
    assert read.votes["relu"][6].argmax() == 4


def test_the_surest_mistakes_come_first(known):
    vote = np.eye(10)[[1, 1, 2, 4]] * np.array([0.5, 1, 1, 0.9])[:, None]
    assert replace(known, vote=vote).mistakes.tolist() == [3, 0]
