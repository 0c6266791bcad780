import json

import numpy as np
import pytest
from factories import make_member

from benchmarks.composition import Composition, votes_of
from pipeline.compare import compare_runs
from pipeline.config.errors import UserError


def sure(digits, confidence):
    """Probabilities of a network that is so sure of each of these digits."""
    return np.eye(10, dtype=np.float32)[digits] * (confidence - 0.01) + 0.01


@pytest.fixture
def members(spec):
    """Five images in two folds, all zeros: the digits that each network reads, and how sure it is."""
    readings = {
        ("relu", 0, 0): ([1, 1, 0], 0.9),
        ("relu", 1, 0): ([1, 0, 0], 0.6),
        ("swish", 0, 0): ([0, 0, 1], 0.7),
        ("relu", 0, 1): ([0, 0], 0.9),
        ("relu", 1, 1): ([0, 1], 0.95),
        ("swish", 0, 1): ([0, 0], 0.7),
    }
    return [
        make_member(spec, arm, seed, fold, rows=[0, 1, 2] if fold == 0 else [3, 4], validation=sure(digits, confidence))
        for (arm, seed, fold), (digits, confidence) in readings.items()
    ]


def test_every_vote_is_the_average_over_its_choices(members):
    """By hand. Of two that disagree the surer decides: relu of seed 1 loses to swish in fold 0 and wins in fold 1."""
    votes = votes_of(members, np.zeros(5, np.uint8))
    assert [(vote.arms, vote.networks, vote.errors, vote.images) for vote in votes] == [
        ("1 relu", 1, (2 + 1) / 2 + (0 + 1) / 2, 5),
        ("1 swish", 1, 1 + 0, 5),
        ("2 relu", 2, 2 + 1, 5),
        ("1 relu + 1 swish", 2, (2 + 1) / 2 + (0 + 1) / 2, 5),
        ("2 relu + 1 swish", 3, 1 + 0, 5),
    ]
    accuracy, low, high = votes[1].accuracy
    assert accuracy == 0.8
    assert 0.28 < low < 0.29  # Clopper and Pearson, 4 of 5: 0.2836 to 0.9949
    assert 0.994 < high < 0.996


def test_the_record_of_a_study_gives_the_table(make_run, tiny, tmp_path, capsys):
    record = compare_runs([make_run(tiny)], tmp_path / "record")
    Composition(record.path, tmp_path / "votes.json").run()
    assert "1 relu + 1 swish" in capsys.readouterr().out
    votes = json.loads((tmp_path / "votes.json").read_text())["votes"]
    assert [vote["arms"] for vote in votes] == ["1 relu", "1 swish", "1 relu + 1 swish"]
    with pytest.raises(UserError, match="cannot be read"):
        Composition(tmp_path).run()
