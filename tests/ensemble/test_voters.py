from dataclasses import replace

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.ensemble.voters import Voters, voters_of
from pipeline.evidence.same_size import MOST_ENSEMBLES, _ensembles, same_size

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
        member(spec, "swish", 1, 0, [0, 2], [0, 2]),  # its other fold is missing
    ]
    voters = voters_of(members, DIGITS)
    assert voters.names == [("relu", 0), ("swish", 0)]
    assert voters.truth.tolist() == [0, 1, 2, 3]
    assert voters.probabilities.argmax(axis=2).tolist() == [[0, 9, 2, 3], [0, 1, 9, 3]]
    assert voters.test_probabilities[0].tolist() == ((np.eye(10)[[0, 0]] + np.eye(10)[[0, 1]]) / 2).tolist()


def test_one_voter_or_none_validated_is_none(spec):
    assert voters_of([member(spec, "relu", 0, 0, [0], [0])], DIGITS) is None
    nobody = [replace(member(spec, a, 0, 0, [0], [0]), validation_rows=np.arange(0),
                      validation_probabilities=np.zeros((0, 10), np.float32)) for a in ("relu", "swish")]  # fmt: skip
    assert voters_of(nobody, DIGITS) is None


def voters(names, guesses):
    probabilities = np.eye(10)[np.array(guesses)]
    return Voters(names, TRUTH, probabilities, probabilities[:, :2])


def test_ensembles_of_one_size_by_hand():
    # Each is sure of itself, and of two that differ the lower digit wins.
    names = [("relu", 0), ("swish", 0), ("relu", 1), ("swish", 1), ("relu", 2)]
    few = voters(names, [[0, 1, 2, 9], [0, 1, 9, 3], [0, 1, 2, 0], [9, 1, 2, 3], [0, 0, 2, 3]])
    found = {e.composition: e for e in same_size(few, None)}
    assert list(found) == ["2 relu", "2 swish", "1 relu + 1 swish"]
    # relu: seeds 0 and 1 read 0, 1, 2, 0: one error; 0 and 2 read 0, 0, 2, 3: one; 1 and 2: 0, 0, 2, 0: two.
    assert (found["2 relu"].ensembles, found["2 relu"].mean_errors) == (3, pytest.approx(4 / 3))
    assert (found["2 swish"].ensembles, found["2 swish"].mean_errors) == (1, 0)
    # relu 0 with any swish: 0 errors; relu 1: 0 read for 3, one error; relu 2: 0 read for 1, one error.
    assert (found["1 relu + 1 swish"].ensembles, found["1 relu + 1 swish"].mean_errors) == (6, pytest.approx(4 / 6))
    assert all(e.images == 4 for e in found.values())
    assert {e.images for e in same_size(few, np.array([0, 1], np.uint8))} == {2}


def test_a_single_seed_fills_no_even_size():
    assert same_size(voters([("relu", 0), ("swish", 0)], [[0, 1, 2, 3]] * 2), None) == []


def test_many_ensembles_are_sampled_without_repeating_a_voter():
    tried = _ensembles([(range(8), 4), (range(8, 16), 4)])
    assert len(tried) == MOST_ENSEMBLES
    assert all(len(set(e)) == 8 and sum(i < 8 for i in e) == 4 for e in tried)
    assert tried == _ensembles([(range(8), 4), (range(8, 16), 4)])
