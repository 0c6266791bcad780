"""Paired statistics against hand-computed cases, and simulations where the truth is known."""

import numpy as np
import pytest
from factories import IMAGES, compared, pair, simulated
from scipy.stats import ttest_1samp

from pipeline.evidence import pairs as paired
from pipeline.evidence.pairs import bootstrap_means
from pipeline.evidence.verdict import compare_pairs


def test_numbers_of_a_hand_computed_case():
    result = compared(pair(6, 2, ratio=1.2), pair(4, 2, ratio=1.2), pair(3, 3, ratio=1.2), pair(1, 2, ratio=1.2))
    assert result.points == pytest.approx([0.2, 0.1, 0.0, -0.05])
    assert result.difference == pytest.approx(0.0625)
    assert result.first_better == 2.5 / 4
    # Of the 16 signs: |sum| of ±4 ±2 ±0 ±1 is 5 or more for +4+2±1, +4-2+1 no, so {7, 5} twice for the 0, both ways.
    assert result.p_value == pytest.approx(8 / 16)
    assert (result.time_ratio, result.time_interval) == (pytest.approx(1.2), pytest.approx((1.2, 1.2)))


def test_the_bootstraps_spread_is_that_of_its_two_parts():
    generator = np.random.default_rng(1)
    pairs = [pair(ones, 10) for ones in (5, 10, 15, 20)]
    points = np.array([p.points for p in pairs])
    over_pairs = bootstrap_means(pairs, generator, over_images=False)
    assert over_pairs.std() == pytest.approx(points.std() / 2, rel=0.05)  # standard error, with n in the denominator
    over_images = bootstrap_means(pairs, generator, over_pairs=False)
    mean = np.mean([p.difference for p in pairs], axis=0)
    assert over_images.std() == pytest.approx(100 * mean.std() / np.sqrt(IMAGES), rel=0.05)
    assert bootstrap_means(pairs, generator).mean() == pytest.approx(points.mean(), abs=0.02)


def test_images_are_drawn_within_their_fold():
    one = bootstrap_means([pair(20, fold=0)], np.random.default_rng(0))
    both = bootstrap_means([pair(20, fold=0), pair(20, fold=1)], np.random.default_rng(0), over_pairs=False)
    shared = bootstrap_means([pair(20, fold=0), pair(20, fold=0)], np.random.default_rng(0), over_pairs=False)
    assert shared.std() == pytest.approx(one.std(), rel=0.05)  # the same images twice are no more images
    assert both.std() == pytest.approx(one.std() / np.sqrt(2), rel=0.05)


def test_time_ratio_is_geometric_with_students_interval():
    ratios = [1.1, 1.3, 1.25, 1.18]
    result = compared(*(pair(ratio=ratio) for ratio in ratios))
    expected = ttest_1samp(np.log(ratios), 0).confidence_interval()
    assert result.time_ratio == pytest.approx(np.prod(ratios) ** 0.25)
    assert np.log(result.time_interval) == pytest.approx(expected)


def test_holm_over_all_pairs_of_arms():
    strong = [pair(30 + i) for i in range(8)]
    weak = [pair(3 + i, 2) for i in range(8)]
    none = [pair(i % 3, (i + 1) % 3) for i in range(8)]
    results = compare_pairs({("a", "b"): strong, ("a", "c"): weak, ("b", "c"): none})
    ps = sorted(r.p_value for r in results)
    adjusted = sorted(r.p_adjusted for r in results)
    expected = np.maximum.accumulate(np.minimum(np.array(ps) * [3, 2, 1], 1))  # Holm 1979
    assert adjusted == pytest.approx(expected.tolist())


def test_a_true_null_rejects_at_its_level_and_intervals_cover(monkeypatch):
    monkeypatch.setattr(paired, "REPLICATES", 200)
    monkeypatch.setattr(paired, "RESAMPLES", 200)
    generator = np.random.default_rng(0)
    results = [compared(*simulated(generator, 8, images=600)) for _ in range(150)]
    rejected = np.mean([r.p_value < 0.05 for r in results])
    covered = np.mean([r.interval[0] <= 0 <= r.interval[1] for r in results])
    assert rejected < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)
    assert covered > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 150)
