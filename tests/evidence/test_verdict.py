"""The verdict over pairs, where the truth is known."""

import numpy as np
import pytest
from factories import compared, pair
from scipy.stats import ttest_1samp

from pipeline.evidence.intervals import Spread
from pipeline.evidence.verdict import Verdict, compare_pairs, judge


def test_numbers_of_a_hand_computed_case():
    result = compared(*(pair(ones, minus, fold=fold, seed=3, by_epoch=[1.0, 0.1 * fold, 0.2, 0.2, 0.2, 0.4])
                        for fold, (ones, minus) in enumerate([(6, 2), (4, 2), (3, 3), (1, 2)])))  # fmt: skip
    assert result.points == pytest.approx([0.2, 0.1, 0.0, -0.05])
    assert result.nets == [4, 2, 0, -1]
    assert (result.seeds, result.folds, result.images) == ([3] * 4, [0, 1, 2, 3], 8000)
    assert result.difference == pytest.approx(0.0625)
    assert result.first_better == 2.5 / 4
    # Of the 16 signs: |sum| of ±4 ±2 ±0 ±1 is 5 or more for +4+2±1, +4-2+1 no, so {7, 5} twice for the 0, both ways.
    assert result.p_value == result.p_adjusted == 8 / 16
    assert [span.difference for span in result.by_epoch] == pytest.approx([1.0, 0.15, 0.2, 0.2, 0.2, 0.4])
    assert (result.late.first_epoch, result.late.difference) == (5, pytest.approx(0.3))


def test_one_pair_has_no_interval_and_decides_nothing():
    result = compared(pair(10))
    assert (result.interval, result.equivalence_interval, result.time_interval, result.powers) == (None, None, None, [])
    assert (result.verdict, result.fewest_pairs, result.p_value) == (Verdict.TOO_FEW_PAIRS, 6, 1)


def test_verdicts():
    assert compared(*(pair(30 + i) for i in range(8))).verdict is Verdict.FIRST_BETTER
    assert compared(*(pair(0, 30 + i) for i in range(8))).verdict is Verdict.SECOND_BETTER
    assert compared(*(pair(images=20_000) for _ in range(5))).verdict is Verdict.EQUIVALENT
    mixed = [pair(20), pair(0, 15), pair(10), pair(0, 12)]
    assert compared(*mixed).verdict is Verdict.TOO_FEW_PAIRS
    assert compared(*mixed, *mixed).verdict is Verdict.NOT_SHOWN


def test_two_pairs_far_from_zero_do_not_decide():
    result = compared(pair(10, fold=0), pair(10, fold=1))  # +0.5 points each
    assert (result.verdict, result.fewest_pairs) == (Verdict.TOO_FEW_PAIRS, 6)
    assert all(power.power == 0 for power in result.powers)
    five = [pair(40 + fold, fold=fold) for fold in range(5)]
    assert compared(*five).verdict is Verdict.TOO_FEW_PAIRS
    assert compared(*five, pair(40, fold=5)).verdict is Verdict.FIRST_BETTER


def test_a_few_images_show_no_equivalence_however_alike_the_networks_are():
    assert compared(*(pair(images=9_999) for _ in range(5))).verdict is Verdict.TOO_FEW_PAIRS  # 3 in 9,999: 0.03 points
    assert compared(*(pair(images=5_001, fold=fold) for fold in (0, 0, 1, 1, 1))).verdict is Verdict.EQUIVALENT
    assert compared(*(pair(images=20_000) for _ in range(4))).verdict is Verdict.TOO_FEW_PAIRS


SURE = Spread(10, 0.06, shared=0.0, own=0.02**2, degrees=np.inf)
# With the 9 degrees of freedom of its pairs, 2.26 errors to either side; 1.96 would be clear of zero.
UNSURE = Spread(10, 0.06, shared=0.0, own=0.028**2, degrees=np.inf)


@pytest.mark.parametrize(
    ("spread", "p_adjusted", "verdict"),
    [
        (SURE, 0.04, Verdict.FIRST_BETTER),
        (SURE, 0.06, Verdict.NOT_SHOWN),  # the interval alone is not enough
        (UNSURE, 0.04, Verdict.NOT_SHOWN),  # nor is the test
    ],
)
def test_a_difference_takes_both_the_test_and_the_interval(spread, p_adjusted, verdict):
    assert judge(spread, 42_000, p_adjusted, tests=1) is verdict


def test_equivalence_is_decided_by_the_90_percent_interval():
    for own, verdict in ((0.018**2, Verdict.EQUIVALENT), (0.0185**2, Verdict.NOT_SHOWN)):  # 1.645 x 0.0182 = 0.03
        assert judge(Spread(10, 0.0, 0.0, own, np.inf), 42_000, 1.0, tests=1) is verdict
    off_centre = Spread(10, 0.02, 0.0, 0.01**2, np.inf)
    assert judge(off_centre, 42_000, 0.2, tests=1) is Verdict.NOT_SHOWN


def test_with_three_arms_the_corrected_p_value_decides():
    seven = [pair(10 + i, fold=i) for i in range(7)]  # raw 2/128
    tie = [pair(i % 3, (i + 1) % 3, fold=i) for i in range(7)]
    results = compare_pairs({("b", "a"): seven, ("c", "a"): tie, ("c", "b"): tie})
    assert results[0].p_value == 2 / 128
    assert results[0].p_adjusted == pytest.approx(6 / 128)
    assert results[0].verdict is Verdict.FIRST_BETTER
    six = compare_pairs({("b", "a"): seven[:6], ("c", "a"): tie[:6], ("c", "b"): tie[:6]})
    assert six[0].p_value == 2 / 64 < 0.05 < six[0].p_adjusted  # raw 0.031, adjusted 0.094
    assert (six[0].verdict, six[0].fewest_pairs) == (Verdict.TOO_FEW_PAIRS, 7)
    assert [r.p_adjusted for r in results[1:]] == [1, 1]


def test_time_ratio_is_geometric_with_students_interval():
    ratios = [1.1, 1.3, 1.25, 1.18]
    result = compared(*(pair(ratio=ratio) for ratio in ratios))
    expected = ttest_1samp(np.log(ratios), 0).confidence_interval()
    assert result.time_ratio == pytest.approx(np.prod(ratios) ** 0.25)
    assert np.log(result.time_interval) == pytest.approx(expected)
