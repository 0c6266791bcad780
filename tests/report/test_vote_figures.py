from dataclasses import replace

import numpy as np
from factories import drawn

from pipeline.report.vote_figures import by_digit, certainty, confusions, shares


def test_confusions_are_counted(known):
    plot = confusions(known)
    (axes,) = drawn(plot)
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "1"), ((1, 1), "1"), ((7, 2), "1"), ((8, 3), "1"),
    }  # fmt: skip
    assert "Most often, 2 is read as 7: 1 times." in plot.caption
    assert "2 mistakes" in plot.alt
    assert "Most often" not in confusions(replace(known, truth=known.guesses)).caption


def test_each_digit_has_its_recall_and_precision(known):
    table = by_digit(replace(known, truth=np.array([0, 7, 7, 8], np.uint8)))  # read as 0, 1, 7, 8
    assert table[7] == ["7", "1", "1", "0.5000", "1.0000"]
    assert table[1] == ["1", "0", "0", "", "0.0000"]
    assert table[9] == ["9", "0", "0", "", ""]


def test_certainty_counts_images_by_how_sure_the_vote_is(known):
    vote = np.eye(10)[[0, 1, 2, 3]] * np.array([0.45, 0.85, 0.991, 1.0])[:, None]
    plot = certainty(replace(known, vote=vote))
    (axes,) = drawn(plot)
    assert [bar.get_height() for bar in axes.patches] == [1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert "less than 90% sure of 2." in plot.caption


def test_shares_are_of_the_predictions_and_of_the_labels(known):
    plot = shares(known, np.array([0, 0, 0, 7], np.uint8))
    (axes,) = drawn(plot)
    heights = [bar.get_height() for bar in axes.patches]
    assert heights[:10] == [75, 0, 0, 0, 0, 0, 0, 25, 0, 0]
    assert sorted(heights[10:]) == [0] * 6 + [25] * 4
    assert "differ most in the 0, by -50.0 points" in plot.caption
