"""Intervals and verdicts in simulated studies whose truth is known; docs/study.md has the full table."""

import numpy as np
import pytest

from benchmarks.coverage import measure
from benchmarks.studies import Setting, simulate, tally_studies
from pipeline.evidence.intervals import tally, two_way

STUDIES = 400
# Folds, and pairs in each; the last reads the same images with all pairs.
SETTINGS = [Setting(folds, seeds, sd) for folds, seeds in ((5, 1), (5, 2), (5, 5), (1, 10)) for sd in (0.0, 0.03, 0.07)]


def test_intervals_cover_what_they_say():
    covered = []
    for setting in SETTINGS:
        spread = two_way(tally_studies(simulate(setting, STUDIES, np.random.default_rng(7)), setting))
        low, high = spread.interval()
        covered.append(np.mean((low <= 0) & (high >= 0)))
        noise = 3 * np.sqrt(0.05 * 0.95 / STUDIES)
        assert 0.93 - noise < covered[-1] < 0.97 + noise, setting
    assert 0.945 < np.mean(covered) < 0.97


@pytest.mark.parametrize("setting", [Setting(5, 2, 0.03), Setting(5, 5, 0.0, taste=0.0), Setting(5, 1, 0.07)])
def test_verdicts_are_seldom_wrong_and_their_power_is_foretold(setting):
    row = measure(setting, 200)
    noise = 3 * np.sqrt(0.05 * 0.95 / 200)
    assert row["false_difference"] < 0.05 + noise
    assert row["false_equivalence"] < 0.05 + noise
    for effect in (0.03, 0.05):
        assert row[f"foretold_{effect}"] == pytest.approx(row[f"power_{effect}"], abs=0.15)
    if setting.pairs < 6:
        assert row["false_difference"] == row["power_0.05"] == 0
    if setting.pairs == 25:
        assert row["power_0.05"] > 0.7
        assert row["equivalent"] > 0.05


def test_simulated_studies_are_tallied_as_real_ones():
    setting = Setting(2, 3, 0.05, images=500)
    readings = simulate(setting, 4, np.random.default_rng(0))
    spread = two_way(tally_studies(readings, setting))
    hard = readings.shape[3]
    for study, own in enumerate(readings):
        images = [500 * fold + np.arange(500) for fold in range(2) for _ in range(3)]
        padded = [np.pad(own[fold, seed], (0, 500 - hard)) for fold in range(2) for seed in range(3)]
        alone = two_way(tally(images, padded))
        assert spread.variance[study] == pytest.approx(alone.variance)
        assert spread.degrees[study] == pytest.approx(alone.degrees)
