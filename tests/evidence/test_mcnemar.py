"""Exact McNemar tests between arms, against counts and the binomial formula by hand."""

from math import comb

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.evidence.mcnemar import mcnemar, mcnemar_tests

TRUTH = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], np.uint8)


@pytest.fixture
def ten():
    """One labelled and one held-back image per digit."""
    images = np.zeros((10, 28, 28), np.uint8)
    return Digits("a test", images, TRUTH, images, np.arange(1, 11), TRUTH)


def member(spec, activation, seed, wrong):
    """A member that is wrong about the first `wrong` digits, and sure of itself."""
    probabilities = np.eye(10, dtype=np.float32)[np.where(np.arange(10) < wrong, (TRUTH + 1) % 10, TRUTH)]
    return make_member(spec, activation, seed, rows=np.arange(10), validation=probabilities, test=probabilities)


def test_mcnemar_takes_partners_only_and_corrects_for_all_arms(spec, ten):
    members = [
        *(member(spec, "relu", seed, wrong) for seed, wrong in ((0, 9), (1, 0), (2, 0))),  # together all right
        member(spec, "swish", 0, 0),
        member(spec, "elu", 0, 3),
        member(spec, "selu", 9, 3),  # has no partner
    ]
    groups = {arm: [m for m in members if m.arm == arm] for arm in ("relu", "swish", "elu", "selu")}
    tests = [t for t in mcnemar_tests(groups, ten) if t.rows == "validation"]
    assert [(t.first, t.second, t.only_first_right, t.only_second_right) for t in tests] == [
        ("relu", "swish", 0, 9),
        ("relu", "elu", 0, 6),
        ("swish", "elu", 3, 0),
    ]
    p_values = [2 / 2**9, 2 / 2**6, 2 / 2**3]
    assert [t.p_value for t in tests] == pytest.approx(p_values)
    assert [t.p_adjusted for t in tests] == pytest.approx([3 * p_values[0], 2 * p_values[1], p_values[2]])


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (3, 9), (9, 3), (5, 5), (0, 12)])
def test_mcnemar_is_the_exact_binomial_by_the_formula(b, c):
    first = np.array([True] * b + [False] * c + [True, False])
    second = np.array([False] * b + [True] * c + [True, False])
    test = mcnemar("a", "b", "validation", first, second)
    assert (test.only_first_right, test.only_second_right) == (b, c)
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert test.p_value == pytest.approx(min(1, 2 * tail))
