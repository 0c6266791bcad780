"""The verdict over pairs, where the truth is known."""

from dataclasses import replace

import numpy as np
from factories import compared, pair, simulated

from pipeline.evidence import pairs as paired
from pipeline.evidence.verdict import MARGIN
from pipeline.report.sentences import describe


def test_one_pair_has_no_interval_and_says_so():
    result = compared(pair(10))
    assert (result.interval, result.p_value, result.p_adjusted, result.time_interval) == (None,) * 4
    assert "one pair of networks" in result.verdict
    assert "interval" not in describe(result)


def test_a_mean_that_rounds_to_zero_has_no_sign():
    balanced = compared(*[pair(5, 6), pair(6, 5)] * 3)
    assert ": +0.000 points (95% interval -" in describe(replace(balanced, difference=-1e-18))


def test_headlines():
    better = compared(*(pair(30 + i) for i in range(8)))
    assert better.verdict == "swish is better than relu"
    worse = compared(*(pair(0, 30 + i) for i in range(8)))
    assert worse.verdict == "relu is better than swish"
    same = compared(*(pair(images=20_000) for _ in range(5)))
    assert same.verdict == "swish and relu are equivalent within 0.03 points"
    unknown = compared(pair(20), pair(0, 15), pair(10), pair(0, 12))
    assert unknown.verdict == "no difference between swish and relu is shown"
    assert [r.more_pairs for r in (better, worse, same)] == [0, 0, 0]
    assert "More pairs alone would not settle it" in describe(compared(*[pair(5, 6), pair(6, 5)] * 3))


def test_a_few_images_show_no_equivalence_however_alike_the_networks_are():
    few = compared(*(pair(images=9_999) for _ in range(5)))  # 3 in 9,999 are 0.03 points
    assert (few.verdict, few.more_pairs) == ("no difference between swish and relu is shown", None)
    assert "it takes more images" in describe(few)
    enough = compared(*(pair(images=5_001, fold=fold) for fold in (0, 0, 1, 1)))
    assert enough.verdict == "swish and relu are equivalent within 0.03 points"


def test_the_pairs_that_are_missing_settle_it():
    """The forecast for the standard error, checked by taking that many pairs of the same kind."""
    images = 200_000
    few = [pair(ones, 200, images) for ones in (150, 260, 320, 240, 180)]
    result = compared(*few)
    assert result.verdict.startswith("no difference")
    assert result.more_pairs
    settled = compared(*(few * (1 + -(-result.more_pairs // len(few)))))
    low, high = settled.interval
    assert not low < 0 < high or (settled.equivalence_interval[1] < MARGIN)
    assert f"about {result.more_pairs} more pairs would settle it" in describe(result)


def test_a_planted_effect_is_found(monkeypatch):
    monkeypatch.setattr(paired, "REPLICATES", 200)
    monkeypatch.setattr(paired, "RESAMPLES", 500)
    generator = np.random.default_rng(0)
    found = [compared(*simulated(generator, 10, effect=1.0)).verdict for _ in range(12)]
    assert found.count("swish is better than relu") >= 11
