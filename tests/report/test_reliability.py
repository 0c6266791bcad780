from dataclasses import replace

import numpy as np
import pytest
from factories import rows

from pipeline.report.plots import arm_styles
from pipeline.report.reliability import calibration, reliability

STYLES = arm_styles(["relu", "swish"])


def test_calibration_by_hand():
    def sure(digit, confidence):
        row = np.full(10, (1 - confidence) / 9)
        row[digit] = confidence
        return row

    truth = np.array([0, 1, 2, 3, 4])
    probabilities = np.array([sure(0, 0.95), sure(1, 0.91), sure(9, 0.95), sure(3, 0.55), sure(4, 1.0)])
    found, error = calibration(truth, probabilities, fewest=1)
    assert [b.images for b in found] == [1, 4]
    assert (found[0].confidence, found[0].accuracy) == pytest.approx((0.55, 1.0))
    assert (found[1].confidence, found[1].accuracy) == pytest.approx((0.9525, 0.75))
    assert error == pytest.approx((0.45 * 1 + 0.2025 * 4) / 5)
    assert (found[1].low, found[1].high) == pytest.approx((0.3006, 0.9544), abs=1e-4)  # Wilson, 3 of 4


def test_bins_of_few_images_are_joined_and_the_error_stays():
    confidence = np.repeat([0.35, 0.45, 0.55, 0.95, 1.0], [1, 3, 2, 1, 1])
    probabilities = np.zeros((8, 10))
    probabilities[:, 0] = confidence
    probabilities[:, 1] = (1 - confidence) / 2.5
    truth = np.array([1, 0, 0, 1, 0, 0, 0, 0])
    bins, error = calibration(truth, probabilities, fewest=3)
    assert [(b.images, round(b.accuracy, 4)) for b in bins] == [(4, 0.5), (4, 1.0)]
    assert error == pytest.approx((0.35 + abs(3 * 0.45 - 2) + 2 * 0.45 + 0.05) / 8)
    (everything,) = calibration(truth, probabilities, fewest=20)[0]
    assert everything.images == 8


def test_reliability_has_each_arm_and_all_with_intervals(known):
    table = rows(reliability(known, STYLES, [0, 0]))
    assert {row["vote"] for row in table} == {"relu", "swish", "all"}
    relu = next(row for row in table if row["vote"] == "relu")
    assert float(relu["confidence"]) == pytest.approx(0.91)
    assert (float(relu["accuracy"]), int(relu["images"])) == (0.25, 4)
    assert (float(relu["low"]), float(relu["high"])) == pytest.approx((0.0456, 0.6994), abs=1e-4)  # Wilson, 1 of 4
    alone = replace(known, votes={"relu": known.votes["relu"]})
    assert {row["vote"] for row in rows(reliability(alone, STYLES, [0]))} == {"relu"}


def test_label_smoothing_is_named_only_where_it_was_used(known):
    assert "Label smoothing, here 0.1," in reliability(known, STYLES, [0.1, 0]).caption
    assert "moothing" not in reliability(known, STYLES, [0, 0]).caption
