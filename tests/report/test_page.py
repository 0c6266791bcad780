"""The page as text: whole in itself, the answer first, what does not hold left out. test_browser.py looks at it."""

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html import unescape
from urllib.parse import unquote

import numpy as np
import pytest
from factories import changed
from studies import study, with_held_back

from pipeline.evidence.comparison import compare
from pipeline.records.run_folder import RunFolder
from pipeline.report.answer import answer
from pipeline.report.page import render_report, write_report


def pictures(html):
    """Alt text and SVG of each figure."""
    found = re.findall(r'<img alt="([^"]+)" src="data:image/svg\+xml;charset=utf-8,([^"]+)"', html)
    return {unescape(alt): unquote(content) for alt, content in found}


def downloads(html):
    """The CSV files that the page offers."""
    found = re.findall(r'<a download="([^"]+)" href="data:text/csv;charset=utf-8,([^"]+)">([^<]+)</a>', html)
    assert all(name == text for name, _, text in found)
    return {name: list(csv.reader(io.StringIO(unquote(content)))) for name, content, _ in found}


@pytest.fixture(scope="module")
def page(digits):
    """Three arms in eight pairs, one network failed."""
    from conftest import TINY

    config = replace(TINY, arms=("relu", "swish", "swish_beta"), seeds=4, folds_used=2)
    return render_report(*study(with_held_back(digits), config, failed=["swish-s3-f1"]))


def test_it_needs_no_other_file_no_network_and_no_script(page):
    assert page.startswith("<!doctype html>")
    assert len(page.encode()) < 1_000_000
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert "http" not in re.sub(r"data:[^\"]+", "", page)
    assert "<script" not in page


def test_it_names_nothing_that_this_run_does_not_have(page):
    assert "Submission:" not in page  # there is no folder
    assert "Half-finished" not in page
    assert "moothing" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)


def test_every_figure_is_svg_with_an_alt_text_and_its_numbers(page):
    found = pictures(page)
    assert len(found) == 8
    for alt, svg in found.items():
        assert len(alt) > 20
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    files = downloads(page)
    assert {"paired-differences.csv", "difference-by-epoch.csv", "learning-curves.csv", "epoch-times.csv",
            "confusions.csv", "reliability.csv", "activations.csv", "betas.csv", "scores.csv"} < set(files)  # fmt: skip
    assert all(len(rows) > 1 and len({len(row) for row in rows}) == 1 for rows in files.values())
    assert len(files["paired-differences.csv"]) == 1 + 7 + 8 + 7
    assert files["scores.csv"][1][0] == "relu, single"


def test_links_lead_somewhere_and_names_are_used_once(page):
    ids = re.findall(r' id="([^"]+)"', re.sub(r'src="[^"]+"', "", page))
    assert len(ids) == len(set(ids))
    targets = re.findall(r'href="#([^"]+)"', page)
    assert len(targets) >= 5
    assert set(targets) <= set(ids)


def test_failures_and_halves_come_before_the_answer(digits, tiny):
    found = study(digits, tiny, failed=["swish-s0-f0"])
    html = render_report(*found, "Half-finished: 1 of 3 members are missing.")
    half, failed, headline = (
        html.index(text) for text in ("<b>Half-finished: 1 of 3", "1 of 2 networks failed and are left out", "<h1>")
    )
    assert half < failed < headline
    assert "swish-s0-f0</b>: &lt;worker&gt; died" in html
    assert "Train the missing networks" in html
    assert "&lt;a chip&gt;" in html


def test_the_answer_the_submission_and_the_next_command_come_before_the_rest(digits, tiny, tmp_path):
    found = study(digits, changed(tiny, seeds=2, label_smoothing=0.1))
    folder = RunFolder(tmp_path)
    folder.submission.touch()
    write_report(folder, *found)
    html = unescape(folder.report.read_text(encoding="utf-8"))
    order = [
        f"<h1>{answer(found[3], 30).headline}.</h1>",
        f"python -m pipeline submit {tmp_path}",
        f"<code>{tmp_path}/submission.csv</code>, 4 networks with equal votes",
        'id="difference"',
        'id="scores"',
        'id="mistakes"',
        'id="facts"',
        'id="details"',
    ]
    places = [html.index(text) for text in order]
    assert places == sorted(places)
    assert "Label smoothing, here 0.1," in html
    assert folder.comparison.exists()
    assert folder.metrics.exists()
    assert folder.environment.exists()


def test_one_arm_that_trained_on_all_rows_shows_what_there_is(digits, tiny):
    html = render_report(*study(digits, changed(tiny, arms=("elu",), folds=0, folds_used=0)))
    assert "Nothing to choose from: elu is the only activation here" in html
    assert len(pictures(html)) == 3
    for absent in ("difference", "mistakes", "tests", "votes"):
        assert f'id="{absent}"' not in html
        assert f'href="#{absent}"' not in html


def test_a_record_without_images_shows_all_but_these(digits, tiny):
    configs, digits, members, _ = study(digits, replace(tiny, seeds=3))
    bare = replace(digits, images=digits.images[:0], test_images=digits.images[:0], image_ids=np.arange(0))
    html = render_report(configs, bare, members, compare(members, bare, {}))
    assert "of 28,000 images right" in html  # those of the competition
    assert 'id="mistakes"' not in html
    assert 'id="votes"' in html
    assert "to predict" not in html.partition('id="facts"')[2]
