"""The sign-flip test against all sign patterns, one by one."""

from itertools import product

import numpy as np
import pytest

from pipeline.evidence.sign_flip import fewest_pairs, holm, sign_flip


def by_enumeration(nets):
    sums = [abs(sum(s * k for s, k in zip(signs, nets, strict=True))) for signs in product((1, -1), repeat=len(nets))]
    return np.mean([s >= abs(sum(nets)) for s in sums])


@pytest.mark.parametrize(
    "nets", [[5], [4, 2, 0, -1], [3, 3, 3, 3, 3, 3], [-7, 2, 1, -4, 3], [0, 0, 0], [12, -3, 5, 5, -1, 8, 2, 0, -6, 9]]
)
def test_p_value_is_the_share_of_sign_patterns(nets):
    assert sign_flip(nets) == pytest.approx(by_enumeration(nets), abs=1e-12)
    assert sign_flip([-net for net in nets]) == sign_flip(nets)


def test_a_mean_of_exactly_zero_has_p_one():
    assert sign_flip([-1, 0, -5, -5, 2, 4, -1, 4, -2, 4]) == 1  # swish_beta - relu in docs/study/30-epochs
    assert sign_flip([3, -3] * 20) == 1


def test_many_pairs_are_exact_too():
    assert sign_flip([1] * 40) == 2 / 2**40


@pytest.mark.parametrize(("tests", "fewest"), [(1, 6), (2, 7), (3, 7), (6, 8)])
def test_with_fewer_pairs_five_percent_cannot_be_reached(tests, fewest):
    assert fewest_pairs(tests) == fewest
    for pairs, reached in ((fewest, True), (fewest - 1, False)):
        adjusted = holm([sign_flip([100] * pairs)] * tests)
        assert (adjusted[0] < 0.05) == reached


def test_holm_corrects_the_smallest_most():
    ps = [0.04, 0.001, 0.02]
    assert holm(ps) == pytest.approx([0.04, 0.003, 0.04])  # Holm 1979: 3 x 0.001, 2 x 0.02, then never less
