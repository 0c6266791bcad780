"""Blending runs from their folders: by hand-computed votes, and what does not fit."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from factories import make_member

from pipeline.blend import blend_runs
from pipeline.config.errors import UserError
from pipeline.config.schema import member_specs
from pipeline.ensemble.submission import check_submission
from pipeline.evidence.contributions import judge_blend
from pipeline.records.run_folder import RunFolder


def test_every_network_has_one_vote(make_run, tiny, digits, capsys):
    ghouzam = make_run(replace(tiny, seeds=2, folds_used=2))
    residual = make_run(replace(tiny, name="other", architecture="residual", folds=4, arms=("relu",)))
    out = blend_runs([ghouzam, residual])
    check_submission(out.submission, np.arange(1, 31))
    arrays = [np.load(path) for run in (ghouzam, residual) for path in run.glob("members/*/test_probabilities.npy")]
    assert len(arrays) == 9
    votes = np.mean(np.float64(arrays), axis=0).argmax(axis=1)
    assert pd.read_csv(out.submission)["Label"].tolist() == votes.tolist()
    record = json.loads(out.blend.read_text())
    assert list(record["members"]) == ["tiny", "other"]
    assert [len(ids) for ids in record["members"].values()] == [8, 1]
    assert record["scores"]["networks"] == 9
    printed = capsys.readouterr().out
    assert "9 networks with equal votes" in printed
    assert "half-finished" not in printed


def test_what_a_run_adds_by_hand(make_run, tiny, digits):
    """Ten images; run a reads the first six right, b the last seven; c is surer than either on image 9 and wrong."""

    truth = digits.labels[:10].astype(int)
    spec = member_specs(tiny)[0]

    def members(right, sure):
        probabilities = np.full((10, 10), (1 - sure) / 9)
        probabilities[np.arange(10), np.where(right, truth, (truth + 1) % 10)] = sure
        return [make_member(spec, rows=np.arange(10), validation=probabilities)]

    image = np.arange(10)
    runs = {"a": members(image < 6, 0.5), "b": members(image >= 3, 0.6), "c": members(image != 9, 0.9)}
    blend = judge_blend(runs, digits)
    assert (blend.where, blend.networks, blend.whole.images, blend.whole.errors) == ("validation", 3, 10, 1)
    assert [run.alone.errors for run in blend.contributions] == [4, 3, 1]
    # Without a, b and c disagree on images 0 to 2 and 9: c is surer. Without b the same. Without c, b is surer.
    assert [run.saved_errors for run in blend.contributions] == [0, 0, 2]
    for run in blend.contributions:
        assert run.interval[0] <= run.saved_errors <= run.interval[1]


def test_half_finished_runs_vote_with_what_they_have_and_it_is_said(make_run, tiny, capsys):
    half = make_run(replace(tiny, seeds=2), "relu-s1-f0", "swish-s1-f0")
    whole = make_run(replace(tiny, name="other", folds=0, folds_used=0))
    out = blend_runs([half, whole])
    printed = capsys.readouterr().out
    assert "tiny is half-finished: 2 of its 4 networks are missing" in printed
    assert "not judged: the runs share no validation rows" in printed
    assert json.loads(out.blend.read_text())["scores"] is None


def test_weights_need_the_same_rows(make_run, tiny):
    one, other = make_run(tiny), make_run(replace(tiny, name="other", split_seed=1))
    with pytest.raises(UserError, match=r"--vote greedy needs networks that predicted the same .* those of other"):
        blend_runs([one, other], vote="greedy")
    alike = make_run(replace(tiny, name="alike", architecture="deotte"))
    assert json.loads(blend_runs([one, alike], vote="fitted").blend.read_text())["vote"] == "fitted"


def test_what_does_not_fit_is_said(make_run, tiny, tmp_path):
    ours = make_run(tiny)
    with pytest.raises(UserError, match="blend takes two or more runs"):
        blend_runs([ours])
    with pytest.raises(UserError, match="the same run is named twice"):
        blend_runs([ours, ours])
    with pytest.raises(UserError, match="relu-s0-f0 is in two of the runs"):
        blend_runs([ours, make_run(tiny)])
    other = make_run(replace(tiny, name="other"))
    shutil.rmtree(other / "members")
    with pytest.raises(UserError, match="has no finished network"):
        blend_runs([ours, other])
    RunFolder(other).data.write_text('{"sha256": "0123456789", "source": "x"}')
    with pytest.raises(UserError, match=r"trained on different data \(.{8} and 01234567\)"):
        blend_runs([ours, other])
    with pytest.raises(UserError, match="nowhere is no run's folder"):
        blend_runs([ours, tmp_path / "nowhere"])
