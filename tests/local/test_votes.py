"""What `python -m benchmarks votes` counts, by hand."""

import json
import shutil

import numpy as np
import pytest
from factories import make_member
from scipy.special import softmax

from benchmarks.votes import Votes, against, scaled_losses, votes_of
from pipeline.compare import compare_runs
from pipeline.config.errors import UserError

LABELS = np.array([0, 1, 0, 1], np.uint8)
ROWS = {0: [0, 1], 1: [2, 3]}


def member(spec, arm, seed, fold, *right):
    """Gives the right digit of each of its fold's rows so much probability, and the rest to the other of 0 and 1."""
    predicted = np.zeros((len(right), 10))
    digits = LABELS[ROWS[fold]]
    predicted[range(len(right)), digits] = right
    predicted[range(len(right)), 1 - digits] = 1 - np.array(right)
    return make_member(spec, arm, seed, fold, rows=ROWS[fold], validation=predicted)


@pytest.fixture
def folds(spec):
    """Alone, relu's networks err twice and once, swish's once and never; relu's seed 0 is sure of its errors."""
    right = {
        ("relu", 0): [(0.1, 0.9), (0.9, 0.1)],
        ("relu", 1): [(0.6, 0.4), (0.7, 0.8)],
        ("swish", 0): [(0.4, 0.9), (0.8, 0.7)],
    }
    return {fold: [member(spec, arm, seed, fold, *own[fold]) for (arm, seed), own in right.items()] for fold in ROWS}


def test_every_choice_of_networks_counts_alike(folds):
    votes = votes_of(folds, LABELS)
    assert [(vote.arms, vote.networks, vote.images) for vote in votes] == [
        ("1 relu", 1, 4), ("1 swish", 1, 4), ("2 relu", 2, 4), ("1 relu + 1 swish", 2, 4), ("2 relu + 1 swish", 3, 4)
    ]  # fmt: skip
    # relu: 1 and 1 in fold 0, 1 and 0 in fold 1. Both: 0.35 in row 0, 0.45 in row 3. With swish: rows 0 and 3 by seed
    # 0 (0.25, 0.4); by seed 1 row 0 is a tie, which goes to the lower digit, the right one. All: row 0 (0.37).
    assert [vote.errors for vote in votes] == [1.5, 1, 2, 1, 1]
    best, low, high = votes[0].accuracy
    assert (best, low < best < high) == (0.625, True)


def test_an_arm_that_a_fold_lacks_has_no_vote(folds):
    half = {0: folds[0], 1: folds[1][:2]}
    assert [vote.arms for vote in votes_of(half, LABELS)] == ["1 relu", "2 relu"]


def test_a_study_is_judged_against_another_image_by_image(folds):
    others = {fold: members[2:] for fold, members in folds.items()}
    ours = {fold: members[:2] for fold, members in folds.items()}
    found = against(ours, others, LABELS)
    # Wrong by relu's vote: rows 0 and 3; by swish alone: row 0. Differences: 0, 0, 0, 1.
    assert found.errors == pytest.approx((2, 1, 1, np.sqrt(4 * 0.1875)))
    assert (found.images, found.log_loss[2]) == (4, pytest.approx(found.log_loss[0] - found.log_loss[1]))
    with pytest.raises(UserError, match="validate on other rows in fold 1"):
        against(ours, {**others, 1: folds[0]}, LABELS)


def test_overconfident_probabilities_are_scaled_back():
    """Digits are drawn from probabilities, which are then given as if three times as sure."""
    generator = np.random.default_rng(7)
    logits = generator.normal(size=(20_000, 10))
    true = softmax(logits, axis=1)
    digits = (true.cumsum(axis=1) > generator.random((len(true), 1))).argmax(axis=1).astype(np.uint8)
    of_truth = -np.log(true[range(len(true)), digits])
    assert scaled_losses(softmax(3 * logits, axis=1), digits) == pytest.approx(of_truth, abs=0.2)
    assert scaled_losses(softmax(3 * logits, axis=1), digits).mean() == pytest.approx(of_truth.mean(), rel=1e-3)


def test_a_record_is_read_and_its_folds_are_named(finished, tmp_path, capsys):
    record = compare_runs([finished[0]], tmp_path / "record").path
    Votes(record, than=record, out=tmp_path / "votes.json").run()
    written = json.loads((tmp_path / "votes.json").read_text())
    assert [vote["arms"] for vote in written["votes"]] == ["1 relu", "1 swish", "1 relu + 1 swish"]
    assert written["against"]["errors"][2:] == [0, 0]
    assert "votes of" in capsys.readouterr().out
    other = shutil.copytree(record, tmp_path / "other")
    arrays = dict(np.load(other / "probabilities.npz"))
    np.savez(other / "probabilities.npz", **arrays | {"labels": arrays["labels"][::-1]})
    with pytest.raises(UserError, match="record and .*other are of other digits"):
        Votes(record, than=other, out=tmp_path / "votes.json").run()
    with pytest.raises(UserError, match="has no networks in fold 7, but in 0"):
        Votes(record, folds=(7,), out=tmp_path / "votes.json").run()
