"""Differences by epoch, by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from pipeline.evidence.epochs import differences_by_epoch

CURVES = [np.array([0.5, -0.2, 0.0, -0.1, 0.0, -0.3]), np.array([0.1, -0.1, 0.2, -0.1, 0.0, 0.2]),
          np.array([0.3, 0.0, 0.1, -0.1, 0.0, -0.2])]  # fmt: skip


def test_each_epoch_has_its_mean_and_interval():
    found = differences_by_epoch(CURVES)
    assert [each.epoch for each in found] == list(range(1, 7))
    assert [each.difference for each in found] == pytest.approx([0.3, -0.1, 0.1, -0.1, 0.0, -0.1])
    assert found[0].interval == pytest.approx(ttest_1samp([0.5, 0.1, 0.3], 0).confidence_interval())
    assert found[3].interval == pytest.approx((-0.1, -0.1))
    assert [(e.first_ahead, e.second_ahead) for e in found] == [(3, 0), (0, 2), (2, 0), (0, 3), (0, 0), (1, 2)]
    assert differences_by_epoch(CURVES[:1])[0].interval is None


def test_a_difference_of_rounding_errors_is_none():
    (found,) = differences_by_epoch([np.array([0.1 + 0.2 - 0.3])] * 3)
    assert (found.first_ahead, found.second_ahead) == (0, 0)


def test_without_curves_or_with_curves_of_several_lengths_there_is_nothing():
    for curves in ([np.empty(0)] * 2, [CURVES[0], CURVES[1][:3]]):
        assert differences_by_epoch(curves) == []
