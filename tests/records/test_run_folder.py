"""Whose a run's folder is."""

import json
import os
import socket
from dataclasses import asdict, replace

import pytest
from factories import changed

from pipeline.config.errors import UserError
from pipeline.records.run_folder import RunFolder


@pytest.fixture
def folder(tiny, digits, tmp_path):
    """A folder that a run has claimed."""
    folder = RunFolder(tmp_path / "run")
    with folder.opened(tiny):
        folder.claim(tiny, digits)
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def test_the_same_recipe_comes_in_with_more_members_or_fewer(folder, tiny, digits):
    for change in ({}, {"seeds": 3}, {"arms": ("swish_beta",)}, {"folds_used": 2}, {"device": "cpu"}):
        config = replace(tiny, **change)
        with folder.opened(config):
            folder.claim(config, digits)
        assert folder.read_config() == config


def test_another_recipe_does_not_and_is_told_what_differs(folder, tiny):
    before = contents(folder)
    other = changed(tiny, split_seed=1, seeds=2, name="other", learning_rate=0.5)
    with pytest.raises(UserError) as refused, folder.opened(other):
        pass
    told = str(refused.value)
    assert "train.learning_rate: 0.002 there, 0.5 now" in told
    assert "split_seed: 0 there, 1 now" in told
    assert told.count("there,") == 2
    assert contents(folder) == before


def test_the_run_of_an_earlier_version_is_refused_and_left_as_it_is(folder, tiny):
    content = json.loads(folder.config.read_text())
    del content["recipe"]
    folder.config.write_text(json.dumps(content | asdict(tiny.recipe)))
    before = contents(folder)
    with pytest.raises(UserError, match="was written by an earlier version"), folder.opened(tiny):
        pass
    assert contents(folder) == before


def test_other_data_does_not(folder, tiny, digits):
    before = contents(folder)
    other = replace(digits, test_images=digits.test_images[::-1], source="elsewhere")
    with (
        pytest.raises(UserError, match="holds a run on other data: a test there, elsewhere now"),
        folder.opened(tiny),
    ):
        folder.claim(tiny, other)
    assert contents(folder) == before


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"sha256": "0"})])
def test_a_damaged_record_of_the_data_is_no_licence(text, folder, tiny, digits):
    folder.data.write_text(text)
    with pytest.raises(UserError, match=r"data.json is damaged"), folder.opened(tiny):
        folder.claim(tiny, digits)


def test_two_runs_at_once_do_not_and_the_second_is_told_who_is_there(folder, tiny):
    with folder.opened(tiny):
        whose = f"process {os.getpid()} on {socket.gethostname()}"
        with pytest.raises(UserError, match=f"another run is at work in .*: {whose}"), folder.opened(tiny):
            pass
        folder.owner.write_text("{")
        with pytest.raises(UserError, match="it does not say which process it is"), folder.opened(tiny):
            pass
    assert not folder.owner.exists()


def test_what_killed_writers_left_is_removed_and_nothing_else(folder, tiny):
    kept = {*contents(folder), folder.path / "members" / "notes.part"}
    (folder.members / "x" / ".model.keras.12.part").mkdir(parents=True)
    for path in (
        folder.path / ".data.json.77.part",
        folder.members / ".relu-s0-f0.5.old.part",
        *kept - {*contents(folder)},
    ):
        path.write_text("half")
    with folder.opened(tiny):
        pass
    assert set(contents(folder)) == kept


def test_a_run_that_was_killed_before_it_had_its_lock_is_no_obstacle(tiny, tmp_path):
    (tmp_path / ".probe").touch()
    with RunFolder(tmp_path).opened(tiny):
        pass


def test_what_is_no_runs_folder_is_left_alone(tiny, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty and holds no run"), RunFolder(tmp_path).opened(tiny):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"{\xe9}", b"\xef\xbb\xbf{}", b"", b"[1]", b"{"])
def test_a_config_that_is_no_text_is_damaged(content, folder, tiny):
    folder.config.write_bytes(content)
    with pytest.raises(UserError, match="config.json"), folder.opened(tiny):
        pass


def test_a_config_that_cannot_be_run_is_told_as_such(folder, tiny):
    """And not as another config: no command could give the same."""
    with folder.opened(tiny):
        folder.write_config(changed(tiny, dropout=float("nan")))
    with (
        pytest.raises(UserError, match=r"config.json is damaged: .*\n  - dropout must be .*Received: nan\nMend it"),
        folder.opened(tiny),
    ):
        pass
