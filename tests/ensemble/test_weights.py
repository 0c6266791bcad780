from dataclasses import replace

import numpy as np
import pytest
from factories import make_member
from scipy.stats import norm

from pipeline.config.errors import RunError
from pipeline.ensemble.voters import Voters
from pipeline.ensemble.weights import cast_votes, fitted_weights, greedy_weights
from pipeline.evidence.selections import FEWEST_ROWS, _gain, judge_selections


def population(strengths, rows=2000, seed=0):
    """Voters whose logits are noise, plus their strength at the true digit."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 10, rows).astype(np.uint8)
    logits = generator.normal(size=(len(strengths), rows, 10))
    logits[:, np.arange(rows), truth] += np.array(strengths)[:, None]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    names = [("swish", i) for i in range(len(strengths))]
    return Voters(names, truth, probabilities, probabilities)


def of_truth(voters):
    return voters.probabilities[:, np.arange(len(voters.truth)), voters.truth]


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


def test_the_gain_of_dropping_a_bad_voter_is_found_and_one_among_equals_is_not():
    for selection in judge_selections(population([2.0, 2.0, -2.0])):
        assert selection.gain > 5
        assert selection.interval[0] > 0
        assert selection.recommended
        assert selection.weights["swish, seed 2"] == pytest.approx(0, abs=0.01)
    for selection in judge_selections(population([2.0, 2.0, 2.0])):
        assert selection.interval[0] < 0 < selection.interval[1]
        assert not selection.recommended
        assert selection.images == 2000


def test_what_is_fitted_is_judged_on_other_rows():
    # Twenty voters of pure noise, few rows: fitted on the very rows they are judged on, weights seem to help.
    noise = population([0.0] * 20, rows=FEWEST_ROWS, seed=3)
    weights = fitted_weights(of_truth(noise))
    naive = (np.tensordot(weights, noise.probabilities, axes=1).argmax(axis=1) == noise.truth).mean()
    equal = (noise.probabilities.mean(axis=0).argmax(axis=1) == noise.truth).mean()
    honest = next(s.gain for s in judge_selections(noise) if s.method == "fitted")
    assert 100 * (naive - equal) > honest + 3


def test_the_interval_is_that_of_a_difference_of_proportions():
    right, equal = np.zeros(10_000, bool), np.zeros(10_000, bool)
    right[:300] = equal[200:400] = True  # 200 only the first, 100 only the second
    gain, (low, high) = _gain(right, equal)
    assert gain == pytest.approx(1)
    error = 100 * ((0.03 - 0.01**2) / 10_000) ** 0.5
    assert (low, high) == pytest.approx((1 + norm.ppf(0.025) * error, 1 + norm.ppf(0.975) * error), abs=0.02)


def test_too_few_rows_are_not_judged():
    assert judge_selections(population([2.0, 1.0], rows=FEWEST_ROWS - 1)) == []


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
    with pytest.raises(RunError, match="--vote greedy needs two finished members"):
        cast_votes("greedy", members[:1], digits)
