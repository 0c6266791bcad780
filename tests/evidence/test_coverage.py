"""Intervals and verdicts in simulated studies whose truth is known; docs/study.md has a larger table."""

import numpy as np
import pytest
from simulated_studies import Setting, judge_studies, simulate, spreads_of

from pipeline.evidence.intervals import spread_of
from pipeline.evidence.verdict import MARGIN, Verdict

STUDIES = 1000
NOISES = {"as docs/study/strong": (35, 16), "noisier": (42, 40)}  # errors and disagreements of 8,400
NOISE = 3 * np.sqrt(0.05 * 0.95 / STUDIES)  # three standard errors of a share of 5%
SHOWN = (Verdict.FIRST_BETTER, Verdict.SECOND_BETTER)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("folds", "seeds", "widest"), [(3, 1, 0.26), (5, 1, 0.13), (5, 2, 0.075), (5, 5, 0.04)])
def test_level_and_coverage_hold_and_no_verdict_contradicts_its_interval(folds, seeds, widest, noise):
    errors, disagreements = NOISES[noise]
    setting = Setting(folds, seeds, seed_sd=0.05, errors=errors, disagreements=disagreements)
    spreads, verdicts = judge_studies(setting, STUDIES)
    low, high = np.array([spread.interval() for spread in spreads]).T
    low_90, high_90 = np.array([spread.interval(0.1) for spread in spreads]).T
    assert np.mean((low <= 0) & (high >= 0)) > 0.95 - NOISE
    assert np.mean(high - low) / 2 < widest
    assert np.mean([verdict in SHOWN for verdict in verdicts]) < 0.05 + NOISE
    shown = np.where(low > 0, Verdict.FIRST_BETTER, np.where(high < 0, Verdict.SECOND_BETTER, Verdict.NOT_SHOWN))
    small = (low_90 > -MARGIN) & (high_90 < MARGIN)
    assert verdicts == np.where(small, Verdict.EQUIVALENT, shown).tolist()


@pytest.mark.parametrize("taste", [0.0, 1.0])
def test_at_the_margin_few_are_called_equally_good_and_large_differences_are_shown(taste):
    margin = judge_studies(Setting(5, 5, seed_sd=0.05, effect=MARGIN, taste=taste), STUDIES)[1]
    assert np.mean([verdict is Verdict.EQUIVALENT for verdict in margin]) < 0.05 + NOISE
    large = judge_studies(Setting(4, 1, seed_sd=0.05, effect=0.2, taste=taste), STUDIES)[1]
    assert np.mean([verdict is Verdict.FIRST_BETTER for verdict in large]) > 0.9


def test_simulated_studies_have_the_errors_and_disagreements_of_the_setting():
    for errors, disagreements in NOISES.values():
        setting = Setting(errors=errors, disagreements=disagreements, effect=0.05)
        readings = simulate(setting, 300, np.random.default_rng(0)).astype(int)
        assert np.count_nonzero(readings, axis=3).mean() == pytest.approx(disagreements, rel=0.05)
        assert 100 * readings.sum(axis=3).mean() / 8400 == pytest.approx(0.05, abs=0.006)


def test_simulated_studies_have_the_spread_of_real_ones():
    setting = Setting(2, 3, 0.05, images=500)
    readings = simulate(setting, 4, np.random.default_rng(0))
    spreads = spreads_of(readings, setting)
    hard = readings.shape[3]
    for study, own in enumerate(readings):
        images = [500 * fold + np.arange(500) for fold in range(2) for _ in range(3)]
        padded = [np.pad(own[fold, seed], (0, 500 - hard)) for fold in range(2) for seed in range(3)]
        alone = spread_of(images, padded)
        assert spreads[study].variance == pytest.approx(alone.variance)
        assert spreads[study].interval() == pytest.approx(alone.interval())
