"""Exact McNemar tests between arms, against counts and the binomial formula by hand."""

from dataclasses import replace
from math import comb

import numpy as np
import pytest
from factories import make_member

from pipeline.data.digits import Digits
from pipeline.evidence.mcnemar import mcnemar_p, mcnemar_tests

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
    assert [t.p_adjusted for t in tests] == pytest.approx([3 * p for p in p_values])


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (3, 9), (9, 3), (5, 5), (0, 12)])
def test_mcnemar_is_the_exact_binomial_by_the_formula(b, c):
    tail = sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert mcnemar_p(b, c) == pytest.approx(min(1, 2 * tail))


def test_on_held_back_images_the_arm_that_is_right_is_named(spec, ten):
    """On validation rows relu is better, on held-back images swish: neither may be taken for the other."""
    good, bad = (member(spec, "relu", 0, wrong) for wrong in (1, 4))
    relu = replace(good, test_probabilities=bad.test_probabilities)
    swish = replace(bad, spec=replace(bad.spec, activation="swish"), test_probabilities=good.test_probabilities)
    validation, held_back = mcnemar_tests({"relu": [relu], "swish": [swish]}, ten)
    assert (validation.rows, validation.first, validation.only_first_right, validation.only_second_right) == (
        "validation", "relu", 3, 0,
    )  # fmt: skip
    assert (held_back.rows, held_back.first, held_back.only_first_right, held_back.only_second_right) == (
        "held-back", "relu", 0, 3,
    )  # fmt: skip
    assert validation.p_value == held_back.p_value == 2 / 2**3
