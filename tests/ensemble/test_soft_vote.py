import numpy as np
import pytest

from pipeline.ensemble.soft_vote import predicted_labels, soft_vote


def test_soft_vote_is_the_mean_by_hand():
    members = [[[0.75, 0.25], [0.5, 0.5]], [[0.25, 0.75], [0.0, 1.0]], [[0.125, 0.875], [0.25, 0.75]]]
    voted = soft_vote([np.array(p, np.float32) for p in members])
    assert voted.tolist() == [[0.375, 0.625], [0.25, 0.75]]
    assert voted.dtype == np.float64


def test_soft_vote_sums_in_float64():
    tenth = np.full((1, 10), 0.1, np.float32)
    assert soft_vote([tenth] * 7).tolist() == [[float(np.float32(0.1))] * 10]


def test_ties_go_to_the_lowest_label():
    labels = predicted_labels(np.array([[0.1, 0.4, 0.4, 0.1], [0.25] * 4, [0.2, 0.2, 0.29, 0.31]]))
    assert labels.tolist() == [1, 0, 3]
    assert labels.dtype == np.int64


def test_soft_vote_refuses_nothing_and_unequal_shapes():
    with pytest.raises(ValueError, match="Received: none"):
        soft_vote([])
    with pytest.raises(ValueError, match=r"one shape.*\(1, 2\), \(2, 2\)"):
        soft_vote([np.zeros((1, 2)), np.zeros((2, 2))])
    for broken in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite probabilities"):
            soft_vote([[[0.5, 0.5]], [[0.5, broken]]])
