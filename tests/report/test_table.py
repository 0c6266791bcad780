"""The table of arms and ensembles."""

import io

import numpy as np
from rich.console import Console

from pipeline.report.table import comparison_rows
from pipeline.report.terminal import comparison_table


def test_table_has_the_figures_of_the_comparison(outcome):
    _, _, _, comparison = outcome()
    rows = comparison_rows(comparison)
    assert [row[0] for row in rows] == [
        "relu, single", "swish, single", "relu, ensemble", "swish, ensemble", "all, ensemble",
    ]  # fmt: skip
    accuracies = [s.accuracy for s in comparison.arms[0].validation]
    assert rows[0][2:4] == ["-", f"{np.mean(accuracies):.4f} ± {np.std(accuracies, ddof=1):.4f}"]
    assert rows[0][7:] == ["3.50", "1.00"]
    assert [row[2] for row in rows[2:]] == ["2", "2", "4"]
    assert rows[4][4] == str(comparison.ensembles[2].validation.errors)
    stream = io.StringIO()
    Console(file=stream, width=200).print(comparison_table(comparison))
    assert all(cell in stream.getvalue() for cell in rows[0])


def test_columns_that_hold_nothing_are_left_out(outcome):
    _, _, _, comparison = outcome(None, False)
    assert [column.header for column in comparison_table(comparison).columns] == [
        "who",
        "n",
        "s/epoch",
        "ratio to relu",
    ]
