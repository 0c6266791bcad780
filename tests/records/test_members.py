import json
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.config.schema import digest
from pipeline.network.curves import ActivationCurve
from pipeline.records.members import (
    DamagedMemberError,
    Member,
    commit,
    commit_files,
    invalid_reason,
    read_member,
    write_metrics,
)

HISTORY = [
    {"epoch": 1, "loss": 1 / 3, "validation_accuracy": 0.1, "seconds": 9.0},
    {"epoch": 2, "loss": 0.1 + 0.2, "validation_accuracy": 0.7, "seconds": 2.0},
    {"epoch": 3, "loss": 1e-17, "validation_accuracy": 0.9, "seconds": 4.0},
]
CURVE = ActivationCurve(7, 1.25, [-1.0, 0.0], [0.1, 1 / 3])
ARRAYS = {
    "validation_rows": np.array([1, 3]),
    "validation_probabilities": np.full((2, 10), 0.1, np.float32),
    "test_probabilities": np.eye(10, dtype=np.float32),
}


@pytest.fixture
def member(spec):
    return Member(spec, HISTORY, **ARRAYS, environment={"device": "x"}, fingerprints={"rows": "r"}, activations=[CURVE])


@pytest.fixture
def folder(tmp_path, member):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    folder = tmp_path / "members" / member.spec.id
    commit(folder, member, "data", network.save)
    return folder


def test_read_is_what_was_committed(folder, spec):
    assert invalid_reason(folder, spec, "data") is None
    member = read_member(folder, spec)
    assert member.history == HISTORY
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(getattr(member, name), array)
    assert member.activations == [CURVE]
    assert (member.environment, member.fingerprints) == ({"device": "x"}, {"rows": "r"})
    assert member.seconds_per_epoch == [2.0, 4.0]
    assert keras.saving.load_model(folder / "model.keras").count_params() == 3
    assert sorted(p.name for p in folder.parent.iterdir()) == [spec.id]


def test_files_of_a_member_that_another_machine_committed(folder, spec, tmp_path):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    here = tmp_path / "here" / spec.id
    here.parent.mkdir()
    commit_files(here, files, spec, "data")
    assert {path.name: path.read_bytes() for path in here.iterdir()} == files
    whole = files["model.keras"]
    for damaged in (
        files | {"model.keras": whole[:-1]},
        {name: files[name] for name in files if name != "history.csv"},
    ):
        with pytest.raises(DamagedMemberError, match=r"model.keras is not what was committed|history.csv is missing"):
            commit_files(here, damaged, spec, "data")
    with pytest.raises(DamagedMemberError, match="another config or data"):
        commit_files(here, files, spec, "other data")
    assert (here / "model.keras").read_bytes() == whole
    assert [path.name for path in here.parent.iterdir()] == [spec.id]


def test_metrics_are_all_histories_in_one_table(folder, spec, tmp_path):
    member = read_member(folder, spec)
    whole = replace(member, label="relu (long)", spec=replace(spec, seed=3, fold=None))
    write_metrics(tmp_path / "metrics.csv", [member, whole])
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["arm"].tolist() == ["swish"] * 3 + ["relu (long)"] * 3
    assert (table["seed"].tolist(), table["fold"].tolist()) == ([0] * 3 + [3] * 3, ["0"] * 3 + ["none"] * 3)
    for name in HISTORY[0]:
        np.testing.assert_allclose(table[name], [record[name] for record in HISTORY * 2], rtol=1e-15)


def test_every_damage_is_named(folder, spec):
    assert "another config or data" in invalid_reason(folder, spec, "other data")
    assert invalid_reason(folder.with_name("none"), spec, "data").endswith("member.json is missing")
    files = sorted(path for path in folder.iterdir() if path.name != "member.json")
    assert len(files) == 5
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert f"{path.name} is not what was committed" in invalid_reason(folder, spec, "data")
        path.unlink()
        assert f"{path.name} is missing" in invalid_reason(folder, spec, "data")
        path.write_bytes(whole)
        assert invalid_reason(folder, spec, "data") is None
    for text in ("{", "[]", "{}"):
        (folder / "member.json").write_text(text)
        assert "member.json is damaged" in invalid_reason(folder, spec, "data")


def test_manifest_tells_people_the_spec(folder, spec):
    manifest = json.loads((folder / "member.json").read_text())
    assert manifest["spec"]["activation"] == "swish"
    assert manifest["spec_digest"] == digest(spec)


def test_a_commit_that_fails_leaves_nothing(tmp_path, member):
    def fail(_):
        raise OSError("disk full")

    folder = tmp_path / "members" / "swish-s0-f0"
    with pytest.raises(OSError, match="disk full"):
        commit(folder, member, "data", fail)
    assert list(folder.parent.iterdir()) == []
