import base64
import io
import re
from dataclasses import replace
from html import unescape

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from pipeline.compare import compare
from pipeline.members import Member
from pipeline.report import comparison_rows, comparison_table, ensemble_lines, mcnemar_lines, render_report
from pipeline.selection import Selection
from pipeline.voters import SameSize


def member(spec, digits, activation, seed, fold):
    generator = np.random.default_rng(seed)
    rows = np.arange(20) if fold is not None else np.arange(0)
    history = [{"epoch": e, "loss": 1 / e, "seconds": 1.0 + e} for e in (1, 2, 3)]
    if fold is not None:
        history = [{**record, "validation_accuracy": 0.5 + 0.1 * record["epoch"]} for record in history]
    return Member(
        replace(spec, activation=activation, seed=seed, fold=fold),
        history,
        rows,
        generator.dirichlet(np.ones(10), len(rows)).astype(np.float32).reshape(-1, 10),
        generator.dirichlet(np.ones(10), 30).astype(np.float32),
        {"device": "<a chip>"},
        {"rows": f"{fold}", "draws": f"{seed}", "initial_weights": f"{seed}"},
        [],
        activation,
    )


@pytest.fixture
def run(spec, digits, tiny):
    def make(fold=0, held_back=True):
        known = replace(digits, held_back_labels=digits.labels[:30] if held_back else None)
        group = [member(spec, known, arm, seed, fold) for seed in (0, 1) for arm in ("relu", "swish")]
        return [tiny], known, group, compare(group, known, {"elu-s0-f0": "<worker> died"})

    return make


@pytest.mark.parametrize(("fold", "held_back", "figures"), [(0, True, 6), (0, False, 6), (None, False, 2)])
def test_page_is_whole_in_itself(run, fold, held_back, figures):
    html = render_report(*run(fold, held_back))
    assert len(html) < 3_000_000
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    assert "http" not in html
    pictures = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)"', html)
    assert len(pictures) == figures
    for alt, content in pictures:
        assert len(alt) > 20
        assert matplotlib.image.imread(io.BytesIO(base64.b64decode(content))).size > 10_000
    if fold is not None:  # the headline in words, then what it rests on
        assert re.search(r'class="headline">No difference between swish and relu is shown\.</p>\s*<p>[-+]\d', html)
    assert "Versions and hardware" in html
    assert "elu-s0-f0</b> failed and is left out: &lt;worker&gt; died" in html
    assert "&lt;a chip&gt;" in html


def test_table_has_the_figures_of_the_comparison(run):
    _, _, _, comparison = run()
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


def test_columns_that_hold_nothing_are_left_out(run):
    _, _, _, comparison = run(None, False)
    assert [column.header for column in comparison_table(comparison).columns] == [
        "who",
        "n",
        "s/epoch",
        "ratio to relu",
    ]


def test_ensembles_and_weights_are_told_in_words(run):
    comparison = replace(
        run()[3],
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
    html = render_report(*run()[:3], comparison)
    assert all(line in unescape(html) for line in (sizes, greedy, fitted))
