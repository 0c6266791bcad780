import numpy as np
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.ensemble.voters import voters_of

TRUTH = np.array([0, 1, 2, 3], np.uint8)
DIGITS = Digits("a test", np.zeros((4, 28, 28), np.uint8), TRUTH, np.zeros((2, 28, 28), np.uint8), np.arange(1, 3))


def member(spec, arm, seed, fold, rows, guesses):
    probabilities = np.eye(10, dtype=np.float32)[guesses]
    test = np.eye(10, dtype=np.float32)[[seed, fold]]
    return make_member(spec, arm, seed, fold, rows=rows, validation=probabilities, test=test)


def test_a_voter_is_an_arm_and_seed_over_its_folds(spec):
    members = [
        member(spec, "relu", 0, 0, [0, 2], [0, 2]),
        member(spec, "swish", 0, 0, [0, 2], [0, 9]),
        member(spec, "relu", 0, 1, [1, 3], [9, 3]),
        member(spec, "swish", 0, 1, [1, 3], [1, 3]),
    ]
    voters = voters_of(members, DIGITS)
    assert voters.names == [("relu", 0), ("swish", 0)]
    assert voters.truth.tolist() == [0, 1, 2, 3]
    assert voters.probabilities.argmax(axis=2).tolist() == [[0, 9, 2, 3], [0, 1, 9, 3]]
    assert voters.test_probabilities[0].tolist() == ((np.eye(10)[[0, 0]] + np.eye(10)[[0, 1]]) / 2).tolist()


def test_all_voters_are_judged_on_the_rows_that_each_of_them_predicted(spec):
    members = [
        member(spec, "relu", 0, 0, [0, 2], [0, 9]),
        member(spec, "relu", 0, 1, [1, 3], [9, 3]),
        member(spec, "swish", 1, 1, [1, 3], [1, 8]),  # its other fold is missing
    ]
    voters = voters_of(members, DIGITS)
    assert voters.names == [("relu", 0), ("swish", 1)]
    assert voters.truth.tolist() == [1, 3]
    assert voters.probabilities.argmax(axis=2).tolist() == [[9, 3], [1, 8]]
    assert voters.test_probabilities[1].tolist() == np.eye(10)[[1, 1]].tolist()


def test_one_voter_is_none(spec):
    assert voters_of([member(spec, "relu", 0, 0, [0], [0])], DIGITS) is None


def test_voters_of_all_rows_have_no_row_to_be_judged_on(spec):
    nobody = [make_member(spec, arm, test=np.eye(10)[[3, 4]]) for arm in ("relu", "swish")]
    voters = voters_of(nobody, DIGITS)
    assert (voters.truth.shape, voters.probabilities.shape, voters.test_probabilities.shape) == (
        (0,), (2, 0, 10), (2, 2, 10),
    )  # fmt: skip
