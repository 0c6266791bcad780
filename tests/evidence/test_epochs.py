"""Differences by epoch, by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from pipeline.evidence.epochs import differences_by_epoch, late_difference

CURVES = [np.array([0.5, -0.2, 0.0, -0.1, 0.0, -0.3]), np.array([0.1, -0.1, 0.2, -0.1, 0.0, 0.2]),
          np.array([0.3, 0.0, 0.1, -0.1, 0.0, -0.2])]  # fmt: skip


def test_each_epoch_has_its_mean_and_interval():
    spans = differences_by_epoch(CURVES)
    assert [(s.first_epoch, s.last_epoch) for s in spans] == [(e, e) for e in range(1, 7)]
    assert [s.difference for s in spans] == pytest.approx([0.3, -0.1, 0.1, -0.1, 0.0, -0.1])
    assert spans[0].interval == pytest.approx(ttest_1samp([0.5, 0.1, 0.3], 0).confidence_interval())
    assert spans[3].interval == pytest.approx((-0.1, -0.1))
    assert [(s.first_ahead, s.second_ahead) for s in spans] == [(3, 0), (0, 2), (2, 0), (0, 3), (0, 0), (1, 2)]


def test_late_is_the_mean_of_the_last_third():
    late = late_difference(CURVES)
    assert (late.first_epoch, late.last_epoch) == (5, 6)
    assert late.difference == pytest.approx(-0.05)
    assert late.interval == pytest.approx(ttest_1samp([-0.15, 0.1, -0.1], 0).confidence_interval())
    assert (late.first_ahead, late.second_ahead) == (1, 2)
    assert late_difference([curve[:5] for curve in CURVES]) is None  # one epoch is no average


def test_without_curves_or_with_curves_of_several_lengths_there_is_nothing():
    for curves in ([np.empty(0)] * 2, [CURVES[0], CURVES[1][:3]]):
        assert differences_by_epoch(curves) == []
        assert late_difference(curves) is None


def test_a_single_pair_has_no_interval():
    assert late_difference(CURVES[:1]).interval is None
