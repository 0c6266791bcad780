from dataclasses import replace

import pytest
from factories import rows

from pipeline.report.plots import arm_styles
from pipeline.report.vote_figures import confusions, reliability

STYLES = arm_styles(["relu", "swish"])


def test_confusion_matrix_counts(known):
    plot = confusions(known)
    assert [[int(row[str(d)]) for d in (0, 1, 7, 8)] for row in rows(plot)[:4]] == [
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1],
    ]  # fmt: skip
    assert "Most often, 2 is read as 7: 1 times." in plot.caption
    assert "2 mistakes" in plot.alt
    perfect = confusions(replace(known, truth=known.vote.argmax(axis=1)))
    assert "Most often" not in perfect.caption


def test_reliability_has_each_arm_and_all_with_intervals(known):
    table = rows(reliability(known, STYLES, [0, 0]))
    assert {row["ensemble"] for row in table} == {"relu", "swish", "all"}
    relu = next(row for row in table if row["ensemble"] == "relu")
    assert float(relu["confidence"]) == pytest.approx(0.91)
    assert (float(relu["accuracy"]), int(relu["images"])) == (0.25, 4)
    assert (float(relu["low"]), float(relu["high"])) == pytest.approx((0.0456, 0.6994), abs=1e-4)  # Wilson, 1 of 4
    alone = replace(known, votes={"relu": known.votes["relu"]})
    assert {row["ensemble"] for row in rows(reliability(alone, STYLES, [0]))} == {"relu"}


def test_label_smoothing_is_named_only_where_it_was_used(known):
    assert "Label smoothing, here 0.1," in reliability(known, STYLES, [0.1, 0]).caption
    assert "moothing" not in reliability(known, STYLES, [0, 0]).caption
