"""The verdict over pairs, where the truth is known, and its interval beside it."""

import numpy as np
import pytest
from factories import compared, pair
from scipy.stats import t, ttest_1samp

from pipeline.evidence.intervals import Spread, spread_of
from pipeline.evidence.verdict import Verdict, compare_pairs, judge


def test_numbers_of_a_hand_computed_case():
    result = compared(*(pair(ones, minus, fold=fold, seed=3, by_epoch=[1.0, 0.1 * fold, 0.2, 0.2, 0.2, 0.4])
                        for fold, (ones, minus) in enumerate([(9, 1), (5, 2), (3, 3), (1, 4)])))  # fmt: skip
    assert result.points == pytest.approx([0.4, 0.15, 0.0, -0.15])
    assert (result.seeds, result.folds, result.images) == ([3] * 4, [0, 1, 2, 3], 8000)
    assert (result.first_ahead, result.second_ahead) == (2, 1)
    assert (result.difference, result.level) == (pytest.approx(0.1), 0.05)
    # Each pair has its own images, so the variance is that between pairs: sd / 2 of the four differences.
    error = np.std(result.points, ddof=1) / 2
    assert result.interval == pytest.approx(0.1 + t.ppf([0.025, 0.975], 3) * error)
    assert result.equivalence_interval == pytest.approx(0.1 + t.ppf([0.05, 0.95], 3) * error)
    assert [span.difference for span in result.by_epoch] == pytest.approx([1.0, 0.15, 0.2, 0.2, 0.2, 0.4])


def test_the_second_measure_has_its_own_estimate_and_decides_nothing():
    pairs = [pair(3, 2, fold=fold, surer=[0.5 + 0.1 * fold, -0.2]) for fold in range(3)]
    result, without = compared(*pairs), compared(*(pair(3, 2, fold=fold) for fold in range(3)))
    spread = spread_of([p.images for p in pairs], [p.wrong_probability for p in pairs])
    assert result.wrong_probability.mean == pytest.approx(100 * (0.3 + 0.4 + 0.5) / 6000)
    assert result.wrong_probability.interval == pytest.approx(spread.interval())
    losses = sum(-np.log(1 - x) - np.log(1.2) for x in (0.5, 0.6, 0.7)) / 6000
    assert result.log_loss.mean == pytest.approx(losses)  # in nats
    assert result.log_loss.interval[0] < losses < result.log_loss.interval[1] < 2e-3
    assert (result.verdict, result.interval) == (without.verdict, without.interval)


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pairs_have_neither_interval_nor_verdict(count):
    result = compared(*(pair(50, fold=fold) for fold in range(count)))
    assert (result.verdict, result.interval, result.equivalence_interval) == (Verdict.TOO_FEW_PAIRS, None, None)
    assert (result.difference, result.wrong_probability.interval) == (2.5, None)


def test_verdicts():
    assert compared(*(pair(30 + i, fold=i) for i in range(3))).verdict is Verdict.FIRST_BETTER
    assert compared(*(pair(0, 30 + i, fold=i) for i in range(3))).verdict is Verdict.SECOND_BETTER
    assert compared(*(pair(images=20_000, fold=i) for i in range(5))).verdict is Verdict.EQUIVALENT
    assert compared(pair(20), pair(0, 15), pair(10), pair(0, 12)).verdict is Verdict.NOT_SHOWN


def test_a_few_images_show_no_equivalence_however_alike_the_networks_are():
    """What none of n images shows may still befall 3 in n, as its interval says as well."""
    few, many = (compared(*(pair(images=n) for _ in range(60))) for n in (9_999, 10_001))
    assert few.verdict is Verdict.NOT_SHOWN
    assert many.verdict is Verdict.EQUIVALENT
    assert few.interval[1] == pytest.approx(100 * 3 / 9_999, rel=0.1)


def spread(difference, error, pairs=10):
    return Spread(pairs, difference, error**2)


@pytest.mark.parametrize(
    ("difference", "error", "verdict"),
    [
        (0.06, 0.0264, Verdict.FIRST_BETTER),  # 2.262 errors are 0.0597
        (0.06, 0.0266, Verdict.NOT_SHOWN),
        (-0.06, 0.0264, Verdict.SECOND_BETTER),
        (0.0, 0.0163, Verdict.EQUIVALENT),  # 1.833 errors are 0.0299
        (0.0, 0.0165, Verdict.NOT_SHOWN),
        (-0.02, 0.005, Verdict.EQUIVALENT),  # shown, but too small to matter
        (-0.02, 0.006, Verdict.SECOND_BETTER),  # shown, and not shown to be too small
    ],
)
def test_the_interval_of_the_pairs_decides_alone(difference, error, verdict):
    assert judge(spread(difference, error), 42_000, 0.05) is verdict


def test_three_arms_share_the_five_percent():
    clear = [pair(10 + i, fold=i) for i in range(7)]
    edge = [pair(ones, 1, fold=i) for i, ones in enumerate((1, 6, 1, 3, 1, 2, 1))]  # p is 0.04 alone
    alone = compared(*edge)
    results = compare_pairs({("b", "a"): clear, ("c", "a"): edge, ("c", "b"): edge})
    assert [result.level for result in results] == [0.05 / 3] * 3
    assert [result.verdict for result in results[:2]] == [Verdict.FIRST_BETTER, Verdict.NOT_SHOWN]
    half_widths = [(r.interval[1] - r.interval[0]) / 2 for r in (alone, results[1])]
    assert half_widths[1] / half_widths[0] == pytest.approx(t.ppf(1 - 0.05 / 6, 6) / t.ppf(0.975, 6))
    assert results[1].equivalence_interval[1] - results[1].difference == pytest.approx(
        half_widths[0] * t.ppf(1 - 0.05 / 3, 6) / t.ppf(0.975, 6)
    )


def test_time_ratio_is_geometric_with_students_interval():
    ratios = [1.1, 1.3, 1.25, 1.18]
    result = compared(*(pair(ratio=ratio) for ratio in ratios))
    expected = ttest_1samp(np.log(ratios), 0).confidence_interval()
    assert result.time_ratio == pytest.approx(np.prod(ratios) ** 0.25)
    assert np.log(result.time_interval) == pytest.approx(expected)
    three = compare_pairs({(arm, "a"): [pair(ratio=ratio) for ratio in ratios] for arm in "bcd"})
    expected = ttest_1samp(np.log(ratios), 0).confidence_interval(1 - 0.05 / 3)
    assert np.log(three[0].time_interval) == pytest.approx(expected)
