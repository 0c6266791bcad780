"""Power against simulated means, and the pairs needed against power itself."""

import numpy as np
import pytest
from scipy.stats import t

from pipeline.evidence.intervals import Spread
from pipeline.evidence.power import power, powers

SPREAD = Spread(pairs=10, difference=0.01, shared=0.0, own=0.03**2, degrees=20.0)


@pytest.mark.parametrize(("effect", "pairs", "tests"), [(0.05, 10, 1), (0.03, 40, 1), (0.05, 10, 3)])
def test_power_is_that_of_means_beyond_students_interval(effect, pairs, tests):
    error = 0.03 * (10 / pairs) ** 0.5
    means = np.random.default_rng(0).normal(effect, error, 100_000)
    expected = (means > t.ppf(1 - 0.025 / tests, pairs - 1) * error).mean()
    assert power(effect, SPREAD, pairs, tests) == pytest.approx(expected, abs=0.005)


def test_too_few_pairs_have_none_and_a_sure_thing_has_all():
    assert power(5.0, SPREAD, 5) == 0
    assert power(5.0, SPREAD, 6, tests=3) == 0
    assert power(5.0, SPREAD, 6) == pytest.approx(1)


def test_pairs_needed_are_the_fewest_with_a_power_of_80_percent():
    small, large = powers(SPREAD, tests=1)
    assert (small.effect, large.effect) == (0.03, 0.05)
    assert small.pairs_needed > large.pairs_needed > 10
    for needed in (small, large):
        assert needed.power == power(needed.effect, SPREAD, 10)
        assert power(needed.effect, SPREAD, needed.pairs_needed) >= 0.8
        assert power(needed.effect, SPREAD, needed.pairs_needed - 1) < 0.8


def test_where_the_images_alone_hide_the_effect_no_number_of_pairs_is_enough():
    hidden = Spread(10, 0.0, shared=0.02**2, own=0.03**2, degrees=20.0)
    small, large = powers(hidden, tests=1)
    assert small.pairs_needed is None  # 0.03 is 1.5 standard errors of the shared images
    assert large.pairs_needed is None or large.pairs_needed > 18
    assert power(0.03, hidden, 10_000) == pytest.approx(0.32, abs=0.01)
