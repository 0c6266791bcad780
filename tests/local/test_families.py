import json
from dataclasses import replace

import numpy as np
import pytest
from factories import changed

from benchmarks.families import Families, votes_of
from pipeline.compare import compare_runs
from pipeline.config.errors import UserError


def sure_of(*digits):
    """A network's probabilities of images that it takes for these digits: 0.6 for each, the rest for the others."""
    probabilities = np.full((len(digits), 10), 0.4 / 9, np.float32)
    probabilities[np.arange(len(digits)), digits] = 0.6
    return probabilities


def test_votes_of_each_size_by_hand():
    """Twelve zeros. `a` misreads 8 of them, `b` 4 of these, `c` none.

    Where one network of each family disagree, they tie, and 0 wins; both of the first outvote `c`.
    """
    a, b, c = sure_of(*4 * [1, 1, 0]), sure_of(*4 * [1, 0, 0]), sure_of(*12 * [0])
    votes = {(vote.first, vote.second): vote for vote in votes_of([a, b], [c], np.zeros(12, np.uint8))}
    assert list(votes) == [(0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert [vote.errors for vote in votes.values()] == [0, (8 + 4) / 2, 0, 4, 4]
    # To the 4 of both: of 12 images 4 are misread one time in two: √(12/11 · 1/3 · 2/3 / 12) / 2 · 12 = 0.853.
    assert votes[1, 0].errors_than_first == "+2.0 ± 0.9"
    assert votes[0, 1].errors_than_first == "-4.0 ± 1.7"
    assert (votes[2, 0].errors_than_first, votes[2, 0].log_loss_than_first) == ("+0.0 ± 0.0", "+0.00000 ± 0.00000")
    assert votes[2, 1].log_loss < votes[2, 0].log_loss < votes[1, 0].log_loss
    assert votes[2, 1].log_loss_than_first.startswith("-")
    # c misreads nothing, so what the others misread is the difference: √(12/11 · 1/3 · 2/3 / 12) · 12 = 1.706.
    assert (votes[2, 0].errors_than_second, votes[0, 1].errors_than_second) == ("+4.0 ± 1.7", "+0.0 ± 0.0")
    assert votes[2, 1].log_loss_than_second.startswith("+")


@pytest.fixture
def study(make_run, tmp_path):
    """A study's record of a config."""

    def study(name, config, **right):
        return compare_runs([make_run(config, **right)], tmp_path / name).path

    return study


@pytest.mark.parametrize("folds_used", [1, 2])
def test_studies_are_compared_on_the_folds_that_both_have(study, tiny, digits, tmp_path, capsys, folds_used):
    first = study("first", replace(tiny, folds_used=2), right=("relu",))
    second = study("second", replace(tiny, folds_used=folds_used), right=("relu",))
    Families(first, second, tmp_path / "families.json").run()
    assert "networks of first and of second that vote together" in capsys.readouterr().out
    record = json.loads((tmp_path / "families.json").read_text())
    assert record["images"] == pytest.approx(digits.labels.size * folds_used / tiny.recipe.folds, abs=folds_used)
    votes = {(vote["first"], vote["second"]): vote for vote in record["votes"]}
    networks = len(tiny.arms) * tiny.seeds
    assert len(votes) == (networks + 1) ** 2 - 1
    assert votes[networks, 0] | {"first": 0, "second": networks} == votes[0, networks]
    assert votes[networks, networks]["errors"] == votes[networks, 0]["errors"]


def test_other_folds_are_refused(study, tiny):
    with pytest.raises(UserError, match="first and .*second validate on no fold that is the same: check their folds"):
        Families(study("first", tiny), study("second", changed(tiny, split_seed=1))).run()


def test_a_network_that_is_missing_is_not_counted_as_errors(make_run, study, tiny, tmp_path):
    two = replace(tiny, seeds=2, folds_used=2)
    hole = compare_runs([make_run(two, "relu-s1-f1")], tmp_path / "hole").path
    with pytest.raises(UserError, match="hole lacks relu of seed 1 in a fold"):
        Families(study("whole", two), hole, tmp_path / "families.json").run()
    assert not (tmp_path / "families.json").exists()
