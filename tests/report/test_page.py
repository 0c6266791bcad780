"""The page as text: whole in itself, the entry first, what does not hold left out. test_browser.py looks at it."""

import io
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from studies import findings_of, with_held_back

from pipeline.evidence.comparison import compare
from pipeline.records.run_folder import RunFolder
from pipeline.report.page import render_report, write_report
from pipeline.report.sentences import comparison_lines
from pipeline.report.summary import summarize
from pipeline.report.table import score_rows

TAG = "<i>"


def downloads(html):
    """The CSV files that the page offers."""
    found = re.findall(r'<a download="([^"]+)" href="data:text/csv;charset=utf-8,([^"]+)">([^<]+)</a>', html)
    assert all(name == text for name, _, text in found)
    return {name: unquote(content) for name, content, _ in found}


@pytest.fixture(scope="module")
def three(digits):
    """Three arms in eight pairs, one network failed."""
    from conftest import TINY

    config = replace(TINY, arms=("relu", "swish", "swish_beta"), seeds=4, folds_used=2)
    return findings_of(with_held_back(digits), config, failed=["swish-s3-f1"])


@pytest.fixture(scope="module")
def page(three):
    return render_report(three)


@pytest.fixture
def entry(digits, tiny, tmp_path):
    """A run without validation rows, and its folder."""
    folder = RunFolder(tmp_path)
    folder.submission.touch()
    whole = replace(tiny, recipe=replace(tiny.recipe, folds=0), folds_used=0)
    return findings_of(digits, whole, folder=folder, seconds=62.0, trained=2, rate=1000.0)


def test_it_needs_no_other_file_no_network_and_no_script(page):
    assert page.startswith("<!doctype html>")
    assert len(page.encode()) < 1_000_000
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert "http" not in re.sub(r"data:[^\"]+", "", page)
    assert "<script" not in page


def test_pandas_reads_every_csv_without_care(page, entry):
    files = downloads(page) | downloads(render_report(entry))
    assert set(files) == {"mistakes.csv", "disagreements.csv", "least-sure.csv"}
    for text in files.values():
        table = pd.read_csv(io.StringIO(text))
        assert len(table)
        assert not any(name.startswith("Unnamed") or re.search(r"\.\d+$", name) for name in table.columns)
        for name in table.columns:
            assert table[name].dtype.kind in "if" or not table[name].astype(str).str.match(r"[\d.+-]").any()


def test_the_table_of_scores_is_that_of_the_comparison(page, three):
    relu, *_, vote = [row for row in score_rows(three.comparison) if row[4] == "30 held-back"]
    scores = three.comparison.arms[0].held_back
    errors, accuracies = zip(*((score.errors, score.accuracy) for score in scores), strict=True)
    assert relu[:2] == ["one relu", "8"]
    assert float(relu[2]) == pytest.approx(np.mean(errors), abs=0.05)
    assert relu[3] == f"{min(errors)} to {max(errors)}"
    assert float(relu[5]) == pytest.approx(np.mean(accuracies), abs=5e-5)
    whole = three.comparison.ensembles[-1].held_back
    assert vote == ["vote", "23", str(whole.errors), "", "30 held-back", f"{whole.accuracy:.4f}", ""]
    assert all(f"<td>{cell}</td>" in page for row in (relu, vote) for cell in row)
    assert "<td>20 validation</td>" in page


def test_it_says_which_numbers_are_beside_it(page):
    """Those of confusions, certainty and shares are in no file."""
    assert "Scores, differences and learning curves in numbers: comparison.json and metrics.csv, beside" in page


def test_links_lead_somewhere_and_names_are_used_once(page):
    ids = re.findall(r' id="([^"]+)"', re.sub(r'src="[^"]+"', "", page))
    assert len(ids) == len(set(ids))
    targets = re.findall(r'href="#([^"]+)"', page)
    assert len(targets) >= 5
    assert set(targets) <= set(ids)


def test_every_text_from_outside_is_escaped(digits, tiny):
    config = replace(tiny, name=f"{TAG}name", data=f"{TAG}data")
    findings = findings_of(replace(digits, source=f"{TAG}source"), config, failed=["swish-s0-f0"], note=f"{TAG}note")
    folder = RunFolder(Path(f"{TAG}folder"))
    members = [replace(m, label=f"{TAG}relu", environment={f"{TAG}key": f"{TAG}value"}) for m in findings.members]
    comparison = replace(compare(members, findings.digits, {}), failed={f"{TAG}id": f"{TAG}reason"})
    html = render_report(replace(findings, members=members, comparison=comparison, folder=folder))
    assert TAG not in html
    for text in ("name", "data", "source", "note", "folder", "relu", "key", "value", "id", "reason"):
        assert f"&lt;i&gt;{text}" in html


def test_the_entry_comes_first_with_its_file_and_the_next_command(entry):
    write_report(entry.folder, entry)
    html = unescape(entry.folder.report.read_text(encoding="utf-8"))
    summary = summarize(entry)
    order = [
        f"<h1>{summary.title}.</h1>",
        "2 networks trained in 62 s",
        f"<code>{entry.folder.submission}</code>",
        f"python -m pipeline submit {entry.folder.path}",
        'id="scores"',
        'id="unlabelled"',
        "What the vote is least sure of",
        "Where relu and swish read differently",
        'id="training"',
        "What the networks see",
        'id="difference"',
        'id="facts"',
        'id="details"',
    ]
    places = [html.index(text) for text in order]
    assert places == sorted(places)
    assert summary.title.startswith("2 networks voted on 30 images; they agree on ")
    assert 'id="mistakes"' not in html
    assert "Half-finished" not in html
    assert all(path.exists() for path in (entry.folder.comparison, entry.folder.metrics, entry.folder.environment))


def test_known_digits_show_mistakes_and_folds_show_both(digits, tiny, tmp_path):
    folds = findings_of(digits, replace(tiny, seeds=2), folder=RunFolder(tmp_path))
    html = unescape(render_report(folds))
    assert (
        f"<h1>Score {folds.score[1].accuracy:.4f}: {folds.score[1].errors} of 20 validation digits wrong.</h1>" in html
    )
    assert 'id="mistakes"' in html
    assert 'id="unlabelled"' in html


def test_a_comparison_puts_its_answer_first(digits, tiny):
    findings = findings_of(digits, replace(tiny, seeds=2), note="Half-finished: 1 of 3")
    html = unescape(render_report(findings))
    order = ["<b>Half-finished: 1 of 3", f"<h1>{findings.answer.headline}.</h1>", 'id="difference"', 'id="scores"']
    assert [html.index(text) for text in order] == sorted(html.index(text) for text in order)
    assert all(line[1:] in html for line in comparison_lines(findings.comparison))
    assert "Submission:" not in html


def test_one_arm_shows_what_there_is(digits, tiny):
    html = render_report(findings_of(with_held_back(digits), replace(tiny, arms=("elu",)), folder=RunFolder(Path("x"))))
    assert 'id="difference"' not in html
    assert 'href="#difference"' not in html
    assert 'id="mistakes"' in html


def test_a_record_without_images_shows_all_but_these(digits, tiny):
    whole = findings_of(digits, replace(tiny, seeds=3))
    bare = replace(digits, images=digits.images[:0], test_images=digits.images[:0], image_ids=np.arange(0))
    members = [replace(member, test_probabilities=member.test_probabilities[:0]) for member in whole.members]
    html = render_report(replace(whole, digits=bare, members=members, comparison=compare(members, bare, {})))
    assert "28,000 images" in html  # those of the competition
    assert "What the vote misreads" not in html
    assert "Digit by digit" in html
    assert 'id="unlabelled"' not in html
    assert "What the networks see" not in html
    assert "to predict" not in html.partition('id="facts"')[2]


def test_a_folder_whose_name_is_no_text_does_not_lose_the_report(digits, tiny, tmp_path):
    folder = RunFolder(tmp_path / "a\udcff")
    folder.path.mkdir()
    write_report(folder, findings_of(digits, tiny, folder=folder))
    assert "a?/submission.csv" in folder.report.read_text(encoding="utf-8")
