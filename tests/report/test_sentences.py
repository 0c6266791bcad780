import io
from dataclasses import replace
from html import unescape

import numpy as np
from rich.console import Console

from pipeline.evidence.same_size import SameSize
from pipeline.evidence.selections import Selection
from pipeline.report.page import render_report
from pipeline.report.sentences import ensemble_lines, mcnemar_lines
from pipeline.report.table import comparison_rows
from pipeline.report.terminal import comparison_table


def test_table_has_the_figures_of_the_comparison(outcome):
    _, _, _, comparison = outcome()
    rows = comparison_rows(comparison)
    assert [row[0] for row in rows] == [
        "relu, single", "swish, single", "relu, ensemble", "swish, ensemble", "all, ensemble",
    ]  # fmt: skip
    accuracies = [s.accuracy for s in comparison.arms[0].validation]
    assert rows[0][2] == f"{np.mean(accuracies):.4f} ± {np.std(accuracies, ddof=1):.4f}"
    assert rows[0][6:] == ["3.50", "1.00"]
    assert rows[4][3] == str(comparison.ensembles[2].validation.errors)
    stream = io.StringIO()
    Console(file=stream, width=200).print(comparison_table(comparison))
    assert all(cell in stream.getvalue() for cell in rows[0])
    assert "only relu gets" in mcnemar_lines(comparison)[0]


def test_columns_that_hold_nothing_are_left_out(outcome):
    _, _, _, comparison = outcome(None, False)
    assert [column.header for column in comparison_table(comparison).columns] == [
        "who",
        "n",
        "s/epoch",
        "ratio to relu",
    ]


def test_ensembles_and_weights_are_told_in_words(outcome):
    comparison = replace(
        outcome()[3],
        same_size=[SameSize("2 relu", 1, 27.0, 2000), SameSize("1 relu + 1 swish", 4, 25.25, 2000)],
        selections=[
            Selection("greedy", {}, 0.01, (-0.02, 0.04), 1500),
            Selection("fitted", {}, 0.05, (0.01, 0.09), 1500),
        ],
    )
    sizes, greedy, fitted = ensemble_lines(comparison)
    assert sizes.endswith("mean errors on 2,000 images: 2 relu: 27.0; 1 relu + 1 swish: 25.2.")
    assert "+0.010 points (95% -0.020 to +0.040, nested cross-validation on 1,500 images): no gain shown" in greedy
    assert fitted.endswith("worth it, --vote fitted.")
    html = render_report(*outcome()[:3], comparison)
    assert all(line in unescape(html) for line in (sizes, greedy, fitted))
