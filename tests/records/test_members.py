import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from factories import damage

from pipeline.records import finished
from pipeline.records.finished import FinishedMembers
from pipeline.records.members import FILES, Member, commit, commit_files, read_member, write_metrics
from pipeline.records.readers import DamagedError, read_sealed, sealed
from pipeline.records.run_folder import RunFolder

HISTORY = [
    {"epoch": 1, "loss": 1 / 3, "validation_accuracy": 0.1, "seconds": 9.0},
    {"epoch": 2, "loss": 0.1 + 0.2, "validation_accuracy": 0.7, "seconds": 2.0},
    {"epoch": 3, "loss": 1e-17, "validation_accuracy": 0.9, "seconds": 4.0},
]
ARRAYS = {
    "validation_rows": np.array([1, 3]),
    "validation_probabilities": np.full((2, 10), 0.1, np.float32),
    "test_probabilities": np.eye(10, dtype=np.float32),
}


@pytest.fixture
def member(spec):
    return Member(spec, HISTORY, **ARRAYS, environment={"device": "x"}, fingerprints={"rows": "r"})


@pytest.fixture
def folder(tmp_path, member):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    folder = tmp_path / "members" / member.spec.id
    commit(folder, member, "data", network.save)
    return folder


def test_read_is_what_was_committed(folder, spec):
    assert damage(folder, spec, "data") is None
    member = read_member(folder, spec, "data")
    assert member.history == HISTORY
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(getattr(member, name), array)
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
        with pytest.raises(DamagedError, match=r"model.keras is not what was committed|history.csv is missing"):
            commit_files(here, damaged, spec, "data")
    with pytest.raises(DamagedError, match="another config or data"):
        commit_files(here, files, spec, "other data")
    assert (here / "model.keras").read_bytes() == whole
    assert [path.name for path in here.parent.iterdir()] == [spec.id]


def test_metrics_are_all_histories_in_one_table(folder, spec, tmp_path):
    member = read_member(folder, spec, "data")
    whole = replace(member, label="relu (long)", spec=replace(spec, seed=3, fold=None))
    write_metrics(tmp_path / "metrics.csv", [member, whole])
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["arm"].tolist() == ["swish"] * 3 + ["relu (long)"] * 3
    assert (table["seed"].tolist(), table["fold"].tolist()) == ([0] * 3 + [3] * 3, ["0"] * 3 + ["none"] * 3)
    for name in HISTORY[0]:
        np.testing.assert_allclose(table[name], [record[name] for record in HISTORY * 2], rtol=1e-15)


def test_every_damage_is_named(folder, spec):
    assert "another config or data" in damage(folder, spec, "other data")
    assert "another config or data" in damage(folder, replace(spec, seed=9), "data")
    assert damage(folder.with_name("none"), spec, "data").endswith("member.json is missing")
    for name in FILES:
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert f"{name} is not what was committed" in damage(folder, spec, "data")
        path.unlink()
        assert f"{name} is missing" in damage(folder, spec, "data")
        path.mkdir()
        assert f"{name} cannot be read (Is a directory)" in damage(folder, spec, "data")
        path.rmdir()
        path.write_bytes(whole)
        assert damage(folder, spec, "data") is None


def test_any_flipped_bit_of_the_manifest_is_noticed(folder, spec):
    path = folder / "member.json"
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        path.write_bytes(whole[: bit // 8] + bytes([whole[bit // 8] ^ 1 << bit % 8]) + whole[bit // 8 + 1 :])
        reason = damage(folder, spec, "data")
        assert reason is None or "member.json is damaged" in reason  # a space between two entries means nothing
        assert reason or json.loads(path.read_bytes()) == json.loads(whole)
    for text in ("{", "[]", "{}", "[" * 100_000):
        path.write_text(text)
        assert "member.json is damaged" in damage(folder, spec, "data")


def test_a_manifest_that_names_other_files_reads_none_of_them(folder, spec):
    manifest = read_sealed(folder / "member.json")
    manifest["sha256"]["../../secret"] = "x"
    (folder / "member.json").write_text(json.dumps(sealed(manifest)))
    assert "it names other files than" in damage(folder, spec, "data")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"validation_rows": np.array([1, 3, 5])}, r"validation probabilities have shape \(2, 10\)"),
        ({"test_probabilities": np.eye(9, dtype=np.float32)}, r"test probabilities have shape \(9, 9\)"),
        ({"test_probabilities": np.full((3, 10), np.nan, np.float32)}, "no finite numbers"),
        ({"validation_probabilities": np.full((2, 10), np.inf, np.float32)}, "no finite numbers"),
    ],
)
def test_probabilities_that_are_none_are_refused(change, reason, member, spec, tmp_path):
    commit(tmp_path / "x", replace(member, **change), "data", Path.touch)
    with pytest.raises(DamagedError, match=reason):
        read_member(tmp_path / "x", spec, "data")


def test_a_member_is_read_once_however_often_it_is_asked_for(folder, spec, monkeypatch):
    reads = []
    monkeypatch.setattr(finished, "read_member", lambda *given: reads.append(given) or read_member(*given))
    found = FinishedMembers(RunFolder(folder.parents[1]), "data")
    other = replace(spec, seed=1)
    for _ in range(2):
        members, missing = found.among([other, spec])
        assert [member.spec for member in members] == [spec]
        assert missing[other].endswith("swish-s1-f0/member.json is missing")
    assert [given[1] for given in reads] == [other, spec, other]


def test_tables_end_their_lines_as_git_does(folder, spec, tmp_path):
    write_metrics(tmp_path / "metrics.csv", [read_member(folder, spec, "data")])
    for path in (tmp_path / "metrics.csv", folder / "history.csv"):
        assert b"\r" not in path.read_bytes()


def test_a_commit_that_fails_leaves_nothing(tmp_path, member):
    def fail(_):
        raise OSError("disk full")

    folder = tmp_path / "members" / "swish-s0-f0"
    with pytest.raises(OSError, match="disk full"):
        commit(folder, member, "data", fail)
    assert list(folder.parent.iterdir()) == []
