"""What `python -m benchmarks publish` copies of a run and of a blend."""

import json

import numpy as np
import pandas as pd
import pytest
from factories import changed

from benchmarks.publish import Publish
from pipeline.blend import blend_runs
from pipeline.config.errors import UserError


def submitted(folder):
    return pd.read_csv(folder / "submission.csv")["Label"].tolist()


def files(folder):
    return {path.name for path in folder.iterdir()}


def test_a_run_is_published_without_its_weights(finished, tmp_path):
    folder, record = finished[0], tmp_path / "record"
    Publish(folder, record).run()
    assert files(record) == {"config.json", "metrics.csv", "environment.json", "predicted.npz"}
    predicted = np.load(record / "predicted.npz")
    members = {path.name: np.load(path / "test_probabilities.npy") for path in (folder / "members").iterdir()}
    assert set(predicted) == {*members, "vote"}
    for member, probabilities in members.items():
        assert predicted[member].dtype == np.uint8
        np.testing.assert_array_equal(predicted[member], probabilities.argmax(axis=1))
    assert predicted["vote"].tolist() == submitted(folder)
    config = json.loads((record / "config.json").read_text())
    assert (config["data"], config["out"]) == ("auto", None)


def test_a_blend_is_published_with_its_vote_alone(make_run, tiny, digits, tmp_path):
    runs = [make_run(tiny), make_run(changed(tiny, name="other", architecture="residual"))]
    blend, record = blend_runs(runs, out=tmp_path / "blend"), tmp_path / "record"
    Publish(blend.path, record).run()
    assert files(record) == {"submission.json", "predicted.npz"}
    assert (record / "submission.json").read_text() == blend.submission_record.read_text()
    predicted = np.load(record / "predicted.npz")
    assert set(predicted) == {"vote"}
    assert predicted["vote"].tolist() == submitted(blend.path)


def test_only_what_was_recorded_is_published(make_run, tiny, tmp_path):
    runs = [make_run(tiny), make_run(changed(tiny, name="other", architecture="residual"))]
    blend, record = blend_runs(runs, out=tmp_path / "blend"), tmp_path / "record"
    text = blend.submission.read_text()
    blend.submission.write_text(text.replace("\n30,", "\n30,1"))
    with pytest.raises(UserError, match="is not what .*submission.json records"):
        Publish(blend.path, record).run()
    with pytest.raises(UserError, match="is not finished: .*submission.csv is missing"):
        Publish(runs[0], record).run()
    with pytest.raises(UserError, match="nowhere is no run's folder"):
        Publish(tmp_path / "nowhere", record).run()
    assert not record.exists()
    with pytest.raises(UserError, match="--out must be another folder than the run's"):
        Publish(runs[0], runs[0]).run()
