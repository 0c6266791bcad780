"""The record of a study: written by compare, read back without members and data."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from factories import changed

from pipeline.compare import compare_runs
from pipeline.config.errors import UserError
from pipeline.records.study import half_precision, read_study


def results(folder):
    return json.loads(folder.comparison.read_text())


@pytest.fixture
def labels(digits, tmp_path):
    path = tmp_path / "labels.csv"
    pd.DataFrame({"ImageId": digits.image_ids, "Label": digits.labels[:30]}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("judged", [False, True])
def test_the_record_alone_gives_the_same_results(judged, make_run, tiny, labels, tmp_path):
    other = changed(tiny, name="fast", precision="mixed_bfloat16")
    config = replace(tiny, seeds=3, folds_used=2)
    runs = [make_run(config), make_run(replace(other, seeds=3, folds_used=2))]
    out = compare_runs(runs, tmp_path / "record", arms=["swish"], labels=labels if judged else None)
    first = results(out)
    for run in runs:
        shutil.rmtree(run)
    again = compare_runs([out.path], tmp_path / "again")
    second = results(again)
    assert {key: second[key] for key in ("paired", "arms", "fairness", "same_size")}.items() <= first.items()
    assert (second["paired"][0]["first"], second["paired"][0]["images"]) == ("swish (fast)", 70 if judged else 40)
    assert len(first["same_size"]) == 1
    assert again.metrics.read_bytes() == out.metrics.read_bytes()
    assert "without images" in again.report.read_text()
    assert out.probabilities.stat().st_size < 100_000


def test_arms_of_a_record_can_be_chosen(make_run, tiny, tmp_path, capsys):
    run = make_run(replace(tiny, arms=("relu", "swish", "elu"), seeds=2), "swish-s1-f0")
    record = compare_runs([run], tmp_path / "record").path
    capsys.readouterr()
    (paired,) = results(compare_runs([record], tmp_path / "two", arms=["relu", "elu"]))["paired"]
    assert (paired["first"], paired["second"], len(paired["points"])) == ("elu", "relu", 2)
    assert capsys.readouterr().out.startswith("WARNING: Half-finished: 1 of 6 networks are missing")
    with pytest.raises(UserError, match="--arms names mish, but the arms of these runs are relu, swish, elu"):
        compare_runs([record], arms=["mish"])


def test_two_records_of_one_study_are_read_as_one(make_run, tiny, tmp_path, capsys):
    both = make_run(replace(tiny, seeds=3, folds_used=2))
    parts = [replace(tiny, seeds=1, folds_used=2), replace(tiny, first_seed=1, seeds=2, folds_used=2)]
    records = []
    for part in parts:
        run = make_run(part)
        for member in (run / "members").iterdir():
            shutil.copytree(both / "members" / member.name, member, dirs_exist_ok=True)
        records.append(compare_runs([run], tmp_path / f"record-{part.seeds}").path)
    capsys.readouterr()
    (joint,) = results(compare_runs(records, tmp_path / "joint"))["paired"]
    printed = capsys.readouterr().out
    (whole,) = results(compare_runs([both], tmp_path / "whole"))["paired"]
    assert joint == whole
    assert len(joint["points"]) == 6
    assert printed.startswith("WARNING: Several studies read as one: this was not planned")
    assert "missing" not in printed
    with pytest.raises(UserError, match="relu-s0-f0 is in two of the runs, trained alike"):
        compare_runs([records[0], records[0]])
    other = compare_runs([make_run(changed(tiny, epochs=9))], tmp_path / "other").path
    with pytest.raises(UserError, match=r"record-1 and .*other are not one study: they differ in train\. Compare each"):
        compare_runs([records[0], other])
    half = compare_runs([make_run(replace(parts[1], first_seed=7), "relu-s8-f0")], tmp_path / "half").path
    capsys.readouterr()
    compare_runs([records[0], half], tmp_path / "again")
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("WARNING: Half-finished: 1 of 8 networks are missing")
    assert "Several studies read as one" in printed


def test_a_record_is_compared_with_nothing_else(make_run, tiny, labels, tmp_path):
    run = make_run(tiny)
    record = compare_runs([run], tmp_path / "record").path
    for arguments in ({"folders": [record, run]}, {"folders": [record], "labels": labels},
                      {"folders": [record], "data": "sample"}):  # fmt: skip
        with pytest.raises(UserError, match="is the record of a study. Compare it alone or with other records"):
            compare_runs(**arguments)


def test_a_damaged_record_is_named(make_run, tiny, tmp_path):
    record = compare_runs([make_run(tiny)], tmp_path / "record")
    whole, table = record.probabilities.read_bytes(), record.metrics.read_text()
    other_version = whole.replace(b"PK\x01\x02", b"PK\x01\x02\x00\x00\xad", 1)
    for content in (b"", whole[:2000], whole[:-100], other_version):
        record.probabilities.write_bytes(content)
        with pytest.raises(UserError, match=r"probabilities.npz .*damaged"):
            compare_runs([record.path])
    record.probabilities.write_bytes(whole)
    record.metrics.write_text(table.replace("swish", "other"))
    with pytest.raises(
        UserError, match=r"probabilities.npz is damaged .metrics.csv has not the 3 epochs of swish-s0-f0"
    ):
        read_study(record)
    lines = table.splitlines(keepends=True)
    last = lines[-1].strip().split(",")
    seconds = lines[0].strip().split(",").index("seconds")
    for content, reason in (
        ("".join(lines[:-1]), "has not the 3 epochs of swish"),
        ("".join([*lines[:-1], ",".join(last[:-1]) + "\n"]), "lacks a value in epoch 3 of swish"),
        ("".join(",".join(line.strip().split(",")[:seconds]) + "\n" for line in lines), "lacks a value in epoch 1"),
        (table.replace("loss", "lost"), "lacks a value in epoch 1"),
        *(
            ("".join([*lines[:-1], ",".join([*last[:seconds], odd, *last[seconds + 1 :]]) + "\n"]), "that cannot be")
            for odd in ("0", "-1", "nan", "inf")
        ),
    ):
        record.metrics.write_text(content)
        with pytest.raises(UserError, match=f"probabilities.npz is damaged .metrics.csv .*{reason}"):
            read_study(record)
    record.metrics.unlink()
    with pytest.raises(UserError, match=r"metrics.csv cannot be read"):
        read_study(record)


def test_half_precision_keeps_every_prediction():
    near_ties = np.array([[0.50001, 0.5, 0.0], [0.5, 0.50001, 0.0], [0.2, 0.3, 0.5]], np.float32)
    rounded = half_precision(near_ties)
    assert rounded.dtype == np.float16
    assert rounded.argmax(axis=1).tolist() == [0, 1, 2]
    assert near_ties[1].astype(np.float16).argmax() == 0  # by rounding alone
    np.testing.assert_allclose(rounded, near_ties, atol=1e-3)
