import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.families import Families, rows_of
from pipeline.compare import compare_runs
from pipeline.config.errors import UserError


def test_differences_are_those_to_the_first_vote():
    """By hand: of 12 images the first vote misreads 8, the second 4 of these, so a third of the differences are -1."""
    right, wrong = [0.6] + 9 * [0.4 / 9], [0.1, 0.8] + 8 * [0.1 / 8]
    votes = {"a": np.array(4 * [wrong, wrong, right]), "b": np.array(4 * [right, wrong, right])}
    first, second = rows_of(votes, np.zeros(12, np.uint8))
    assert (first["vote"], first["errors"], first["difference of errors"], first["of"]) == ("a", 8, "+0.0 ± 0.0", 12)
    # √(12/11 · 1/3 · 2/3 / 12) · 12 = 1.706
    assert (second["vote"], second["errors"], second["difference of errors"]) == ("b", 4, "-4.0 ± 1.7")
    assert second["log loss, scaled"] < first["log loss, scaled"]
    assert second["difference of log loss"].startswith("-")


@pytest.mark.parametrize("folds_used", [1, 2])
def test_a_run_is_compared_with_the_study_of_its_folds(make_run, tiny, digits, tmp_path, capsys, folds_used):
    run = make_run(replace(tiny, folds_used=folds_used), right=("relu",))
    study = compare_runs([run], tmp_path / "study").path
    Families(study, run, tmp_path / "families.json").run()
    assert "votes on the same images" in capsys.readouterr().out
    same, again, both = json.loads((tmp_path / "families.json").read_text())["rows"]
    assert [row["errors"] for row in (again, both)] == [same["errors"]] * 2
    assert same["of"] == pytest.approx(digits.labels.size * folds_used / tiny.folds, abs=folds_used)
    assert both["vote"] == "both, each with half the weight"
    # A study keeps float16.
    assert again["log loss, scaled"] == pytest.approx(same["log loss, scaled"], abs=5e-4)


def test_other_folds_are_refused(make_run, tiny, tmp_path):
    study = compare_runs([make_run(tiny)], tmp_path / "study").path
    other = make_run(replace(tiny, split_seed=1))
    with pytest.raises(UserError, match="validates on other rows than .*: give it the same --folds"):
        Families(study, other).run()
