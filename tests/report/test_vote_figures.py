from dataclasses import replace

import numpy as np
import pytest
from factories import rows

from pipeline.report.vote_figures import by_digit, certainty, confusions, shares


def test_confusion_matrix_counts(known):
    plot = confusions(known)
    assert [[int(row[f"read_as_{d}"]) for d in (0, 1, 7, 8)] for row in rows(plot)[:4]] == [
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1],
    ]  # fmt: skip
    assert "Most often, 2 is read as 7: 1 times." in plot.caption
    assert "2 mistakes" in plot.alt
    perfect = confusions(replace(known, truth=known.guesses))
    assert "Most often" not in perfect.caption


def test_each_digit_has_its_recall_and_precision(known):
    table = by_digit(replace(known, truth=np.array([0, 7, 7, 8], np.uint8)))  # read as 0, 1, 7, 8
    assert (table[7].right, table[7].wrong, table[7].recall, table[7].precision) == (1, 1, 0.5, 1.0)
    assert (table[1].right, table[1].wrong, table[1].recall, table[1].precision) == (0, 0, None, 0.0)
    assert table[9].precision is None


def test_certainty_counts_images_by_how_sure_the_vote_is(known):
    vote = np.eye(10)[[0, 1, 2, 3]] * np.array([0.45, 0.85, 0.991, 1.0])[:, None]
    table = {row["from"]: row["images"] for row in rows(certainty(replace(known, vote=vote)))}
    assert [table[edge] for edge in ("0", "0.8", "0.9", "0.99")] == ["1", "1", "0", "2"]
    assert "less than 90% sure of 2." in certainty(replace(known, vote=vote)).caption


def test_shares_are_of_the_predictions_and_of_the_labels(known):
    plot = shares(known, np.array([0, 0, 0, 7], np.uint8))
    table = rows(plot)
    assert [float(table[0][key]) for key in ("labelled", "predicted")] == [0.75, 0.25]
    assert [float(row["predicted"]) for row in table].count(0.25) == 4
    assert "differ most in the 0, by -50.0 points" in plot.caption
    assert float(table[7]["labelled"]) == pytest.approx(0.25)
