"""What a run prints in the end: what matters most first, what to do last."""

import io
from dataclasses import replace
from html import unescape

import numpy as np
from factories import changed
from rich.console import Console
from studies import study, with_held_back

from pipeline.records.run_folder import RunFolder
from pipeline.report.answer import answer
from pipeline.report.page import render_report
from pipeline.report.sentences import comparison_lines
from pipeline.report.table import comparison_rows
from pipeline.report.terminal import comparison_table, show_next, show_outcome, show_score


def printed(show, *arguments):
    stream = io.StringIO()
    show(Console(file=stream, width=400), *arguments)
    return stream.getvalue()


def test_failures_then_the_answer_then_the_table_then_the_places(digits, tiny, tmp_path):
    _, digits, _, comparison = study(digits, replace(tiny, seeds=2), failed=["swish-s1-f0"])
    text = printed(show_outcome, RunFolder(tmp_path), digits, comparison, "Partial: 1 of 4", 12.3)
    lines = text.splitlines()
    assert lines[0] == "WARNING: swish-s1-f0 is left out: <worker> died"
    assert lines[1] == f"{answer(comparison, 30).headline}."
    assert "┃ who" in text
    assert all(cell in text for row in comparison_rows(comparison) for cell in row)
    assert all(line in lines for line in comparison_lines(comparison))
    assert lines[-4:] == [
        f"submission: {tmp_path}/submission.csv, 3 networks with equal votes, "
        f"{comparison.ensembles[-1].validation.errors} errors of 20 validation images",
        f"report: {tmp_path}/report.html",
        "WARNING: Partial: 1 of 4",
        "done in 12 s",
    ]


def test_next_commands_stand_on_lines_of_their_own(digits, tiny, tmp_path):
    configs, _, _, comparison = study(digits, tiny)
    lines = printed(show_next, configs, comparison, RunFolder(tmp_path)).splitlines()
    assert lines[0].startswith("next: To decide, train at least 3 pairs")
    assert lines[1].startswith("  python -m pipeline run ")
    assert " --seeds 3" in lines[1]
    assert lines[-1] == f"  python -m pipeline submit {tmp_path}"


def test_terminal_and_page_say_the_same(digits, tiny):
    found = study(digits, replace(tiny, seeds=2))
    told = answer(found[3], 30)
    html = unescape(render_report(*found))
    assert all(line in html for line in (told.headline, *told.remarks, *comparison_lines(found[3])[1:]))


def test_the_score_is_told_where_it_is_known(digits):
    known = with_held_back(digits)
    labels = known.held_back_labels.astype(np.int64)
    labels[:3] = (labels[:3] + 1) % 10
    assert printed(show_score, labels, known) == "this submission would score 0.90000 on the held-back labels\n"
    assert printed(show_score, labels, digits) == ""


def test_columns_that_hold_nothing_are_left_out(digits, tiny):
    comparison = study(digits, changed(tiny, folds=0, folds_used=0))[3]
    heads = [column.header for column in comparison_table(comparison).columns]
    assert heads == ["who", "n", "s/epoch", "ratio to relu"]
