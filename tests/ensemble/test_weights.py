from dataclasses import replace

import numpy as np
import pytest
from factories import make_member, population

from pipeline.config.errors import RunError
from pipeline.ensemble.weights import (
    METHODS,
    ROUNDS,
    cast_votes,
    fitted_weights,
    greedy_weights,
    probabilities_of_truth,
)


def of_truth(voters):
    return probabilities_of_truth(voters.probabilities, voters.truth)


def log_loss(weights, p):
    return -np.log(np.asarray(weights) @ p).mean()


def test_two_voters_are_weighed_as_by_a_fine_grid():
    p = of_truth(population([3.0, 2.0]))
    grid = np.linspace(0, 1, 1001)
    best = grid[np.argmin([log_loss([w, 1 - w], p) for w in grid])]
    assert fitted_weights(p)[0] == pytest.approx(best, abs=2e-3)
    assert greedy_weights(p)[0] == pytest.approx(best, abs=0.05)


@pytest.mark.parametrize("weigh", [fitted_weights, greedy_weights])
def test_weights_are_a_distribution_no_worse_than_equal_ones_and_useless_voters_get_none(weigh):
    p = of_truth(population([3.0, 3.0, 3.0, -5.0]))
    weights = weigh(p)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    assert weights[3] == pytest.approx(0, abs=1e-3)
    assert log_loss(weights, p) <= log_loss([0.25] * 4, p)


def test_greedy_by_hand():
    # Alone the first is best; adding the second helps the row that the first is unsure of, the third never helps.
    p = np.array([[0.9, 0.5], [0.5, 0.9], [0.1, 0.1]])
    assert greedy_weights(p).tolist() == [0.5, 0.5, 0.0]


def test_greedy_returns_its_best_ensemble_not_its_last():
    # Best are equal votes of all three, after every third round; after all 50 rounds one voter has one vote more.
    p = np.array([[0.9, 0.5, 0.2], [0.2, 0.9, 0.5], [0.5, 0.2, 0.9]])
    assert ROUNDS % 3
    assert greedy_weights(p) == pytest.approx([1 / 3] * 3, abs=1e-12)


def test_fitted_weights_are_found_where_the_loss_is_small():
    """With SLSQP's default tolerance, the search stops at equal weights."""
    generator = np.random.default_rng(0)
    p = np.clip(1 - generator.exponential([[0.01], [0.03]], (2, 5000)), 0.01, 1)
    grid = np.linspace(0, 1, 2001)
    best = grid[np.argmin([log_loss([w, 1 - w], p) for w in grid])]
    assert log_loss([0.5, 0.5], p) < 0.025
    assert abs(best - 0.5) > 0.05
    assert fitted_weights(p)[0] == pytest.approx(best, abs=2e-3)


def test_each_method_is_the_one_it_is_called():
    p = of_truth(population([3.0, 2.0]))
    assert METHODS["greedy"](p).tolist() == greedy_weights(p).tolist()
    assert METHODS["fitted"](p).tolist() == fitted_weights(p).tolist()
    assert METHODS["greedy"](p).tolist() != METHODS["fitted"](p).tolist()


def test_the_submission_is_the_vote_that_was_asked_for(spec, sample):
    voters = population([3.0, -3.0], rows=200)
    digits = replace(sample, images=sample.images[:200], labels=voters.truth)
    members = [
        make_member(spec, seed=s, rows=np.arange(200), validation=p, test=p[:5])
        for s, p in enumerate(voters.probabilities)
    ]
    equal = cast_votes("equal", members, digits)
    np.testing.assert_allclose(equal, voters.probabilities[:, :5].mean(axis=0))
    for method in ("greedy", "fitted"):
        np.testing.assert_allclose(cast_votes(method, members, digits), voters.probabilities[0, :5], atol=0.02)
    for few in (members[:1], [replace(m, validation_rows=np.arange(0), validation_probabilities=np.empty((0, 10)))
                              for m in members]):  # fmt: skip
        with pytest.raises(RunError, match="--vote greedy needs two finished members"):
            cast_votes("greedy", few, digits)


def test_held_back_labels_do_not_touch_the_submission(spec, sample):
    voters = population([2.0, 1.0], rows=200)
    digits = replace(sample, images=sample.images[:200], labels=voters.truth)
    members = [make_member(spec, seed=s, rows=np.arange(200), validation=p, test=p)
               for s, p in enumerate(voters.probabilities)]  # fmt: skip
    known = replace(digits, held_back_labels=9 - voters.truth)
    for method in ("equal", "greedy", "fitted"):
        assert np.array_equal(cast_votes(method, members, digits), cast_votes(method, members, known))
