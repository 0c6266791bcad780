"""The two-way clustered variance against its definition by loops, and Student's interval against SciPy's."""

import numpy as np
import pytest
from scipy.stats import norm, t, ttest_1samp

from pipeline.evidence.intervals import spread_of, student_interval

# Three pairs: the first two of one fold, all three with two images in common (4 and 5).
IMAGES = [np.array([0, 1, 4, 5]), np.array([0, 1, 4, 5]), np.array([2, 3, 6, 4, 5])]
READINGS = [np.array([0, 1, -1, 1]), np.array([1, 1, 1, 1]), np.array([0, 0, 0, -1, 1])]


def parts(images, readings):
    """V(images), V(pairs) and V(cells) by the definition, residual by residual, in shares of accuracy squared."""
    cells = [(p, i, x) for p, (ids, xs) in enumerate(zip(images, readings, strict=True))
             for i, x in zip(ids, xs, strict=True)]  # fmt: skip
    mean = sum(x for _, _, x in cells) / len(cells)
    n = len(images)
    by_image = sum(sum(x - mean for _, j, x in cells if j == i) ** 2 for i in {i for _, i, _ in cells})
    by_pair = n / (n - 1) * sum(sum(x - mean for q, _, x in cells if q == p) ** 2 for p in range(n))
    by_cell = sum((x - mean) ** 2 for _, _, x in cells)
    return [v / len(cells) ** 2 for v in (by_image, by_pair, by_cell)]


def test_variance_is_images_plus_pairs_less_cells():
    spread = spread_of(IMAGES, READINGS)
    by_image, by_pair, by_cell = parts(IMAGES, READINGS)
    assert min(by_image, by_pair) > by_cell
    assert spread.variance / 100**2 == pytest.approx(by_image + by_pair - by_cell)
    assert spread.difference == pytest.approx(100 * 5 / 13)
    for level in (0.05, 0.1):  # two degrees of freedom: those of the pairs
        low, high = spread.interval(level)
        assert (low + high) / 2 == pytest.approx(spread.difference)
        assert high - low == pytest.approx(2 * t.ppf(1 - level / 2, 2) * spread.variance**0.5)


@pytest.mark.parametrize(
    "readings",
    [
        [np.array([1, 0, -1, 0]), np.array([1, 0, -1, 0]), np.array([0, 0, 0, -1, 1])],  # pairs agree: images decide
        [np.array([1, 0, 1, 0]), np.array([-1, 0, 0, -1]), np.array([0, 0, 0, 1, 0])],  # images do not: pairs decide
        [np.array([1, 0, 0, 0]), np.array([0, 0, -1, 0]), np.array([0, 0, 0, 0, 0])],
    ],
)
def test_variance_is_never_below_that_of_images_or_that_of_pairs(readings):
    spread = spread_of(IMAGES, readings)
    by_image, by_pair, by_cell = parts(IMAGES, readings)
    assert spread.variance / 100**2 == pytest.approx(max(by_image + by_pair - by_cell, by_image, by_pair))


def test_networks_that_never_differ_have_the_interval_of_the_rule_of_three():
    nothing = [np.zeros(1000)] * 6
    same_images, own_images = [np.arange(1000)] * 6, [1000 * p + np.arange(1000) for p in range(6)]
    for images, count in ((same_images, 1000), (own_images, 6000)):
        spread = spread_of(images, nothing)
        low, high = spread.interval()
        assert spread.variance == pytest.approx(2 * (100 / count) ** 2)
        assert high == -low == pytest.approx(100 * 2**0.5 * t.ppf(0.975, 5) / count)


def test_a_single_pair_varies_over_images():
    readings = np.repeat([1, -1, 0], [30, 20, 950])
    spread = spread_of([np.arange(1000)], [readings])
    assert spread.difference == pytest.approx(1)
    error = 100 * ((0.05 - 0.01**2) / 1000) ** 0.5
    assert spread.interval()[1] == pytest.approx(1 + norm.ppf(0.975) * error)
    low, high = spread_of([np.arange(1000)], [np.zeros(1000)]).interval()
    assert high == -low == pytest.approx(100 * 3 / 1000, rel=0.1)


def test_students_interval_is_scipys():
    values = [0.1, -0.3, 0.25, 0.05]
    assert student_interval(values) == pytest.approx(ttest_1samp(values, 0).confidence_interval())
    assert student_interval(values, 0.1) == pytest.approx(ttest_1samp(values, 0).confidence_interval(0.9))
    assert student_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert student_interval([1.0, 3.0]) is None
