"""Whether unequal votes pay, where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from factories import population

from pipeline.ensemble.weights import fitted_weights, greedy_weights, probabilities_of_truth
from pipeline.evidence.selections import FEWEST_ROWS, judge_selections


def of_truth(voters):
    return probabilities_of_truth(voters.probabilities, voters.truth)


def right(weights, probabilities, truth):
    return np.tensordot(weights, probabilities, axes=1).argmax(axis=1) == truth


def test_the_gain_of_dropping_a_bad_voter_is_found_and_one_among_equals_is_not():
    for selection in judge_selections(population([2.0, 2.0, -2.0]), None):
        assert selection.gain > 5
        assert selection.interval[0] > 0
        assert selection.recommended
        assert selection.weights["swish, seed 2"] == pytest.approx(0, abs=0.01)
    for selection in judge_selections(population([2.0, 2.0, 2.0]), None):
        assert selection.interval[0] < 0 < selection.interval[1]
        assert not selection.recommended
        assert (selection.validation_images, selection.held_back_images) == (2000, 0)


def test_what_is_fitted_is_judged_on_other_rows():
    # Twenty voters of pure noise, few rows: fitted on the very rows they are judged on, weights seem to help.
    noise = population([0.0] * 20, rows=FEWEST_ROWS, seed=3)
    naive = right(fitted_weights(of_truth(noise)), noise.probabilities, noise.truth).mean()
    equal = right(np.full(20, 0.05), noise.probabilities, noise.truth).mean()
    honest = next(s.gain for s in judge_selections(noise, None) if s.method == "fitted")
    assert 100 * (naive - equal) > honest + 3


def test_held_back_images_judge_the_weights_of_the_validation_rows():
    fitted_on, unseen = population([2.0, 1.0, 0.0], rows=400), population([2.0, 1.0, 0.0], rows=600, seed=9)
    voters = replace(fitted_on, test_probabilities=unseen.probabilities)
    equal = right(np.full(3, 1 / 3), unseen.probabilities, unseen.truth).sum()
    for weigh, both, alone in zip((greedy_weights, fitted_weights), judge_selections(voters, unseen.truth),
                                  judge_selections(voters, None), strict=True):  # fmt: skip
        weighted = right(weigh(of_truth(fitted_on)), unseen.probabilities, unseen.truth).sum()
        assert both.gain * 1000 == pytest.approx(alone.gain * 400 + 100 * (weighted - equal))
        assert (both.validation_images, both.held_back_images, both.weights) == (400, 600, alone.weights)
        assert both.validation_interval == alone.interval


def test_held_back_images_recommend_nothing():
    """The validation rows hardly tell the voters apart; on the held-back images the second is useless."""
    unseen = population([2.0, -3.0], rows=600)
    voters = replace(population([2.0, 1.5], rows=150), test_probabilities=unseen.probabilities)
    for selection in judge_selections(voters, unseen.truth):
        assert selection.interval[0] > 0
        assert selection.validation_interval[0] < 0
        assert not selection.recommended


def test_without_validation_rows_weights_are_only_judged():
    voters = population([2.0, 2.0, -2.0])
    blind = replace(voters, truth=voters.truth[:0], probabilities=voters.probabilities[:, :0])
    for selection, nested in zip(judge_selections(blind, voters.truth), judge_selections(voters, None), strict=True):
        assert selection.weights == {}
        assert not selection.recommended
        assert selection.gain == nested.gain > 5  # nested cross-validation as on validation rows
    assert judge_selections(blind, None) == []


def test_too_few_rows_are_not_judged():
    assert judge_selections(population([2.0, 1.0], rows=FEWEST_ROWS - 1), None) == []
