from dataclasses import replace
from pathlib import Path

import pytest
from factories import changed

from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, default_run_folder, make_folder, on_kaggle, submissions_folder
from pipeline.config.schema import digest


def test_default_folder_depends_on_the_recipe_alone(tiny):
    assert default_run_folder(tiny) == default_run_folder(replace(tiny, data="elsewhere"))
    assert default_run_folder(tiny) == default_run_folder(replace(tiny, seeds=2, arms=("relu",), folds_used=3))
    assert default_run_folder(tiny) != default_run_folder(changed(tiny, epochs=4))
    assert default_run_folder(tiny) != default_run_folder(changed(tiny, split_seed=1))
    assert str(default_run_folder(tiny)) == f"runs/tiny-{digest(tiny.recipe)[:8]}"
    assert str(default_run_folder(replace(tiny, out="x/y"))) == "x/y"


def test_a_folder_is_made_with_its_parents_and_nothing_in_it(tmp_path):
    folder = tmp_path / "runs" / "a"
    for _ in range(2):
        assert make_folder(folder) == folder
        assert list(folder.iterdir()) == []


def test_kaggle_is_known_by_its_variable(monkeypatch):
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    assert not on_kaggle()
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    assert on_kaggle()
    assert submissions_folder() == Path("submissions")


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to the folder .*file/run: Not a directory. Give the command in"):
        make_folder(tmp_path / "file" / "run")
    with pytest.raises(UserError, match=r"cannot write to the folder .*file/run: Not a directory. Choose .* --out"):
        make_folder(tmp_path / "file" / "run", CHOOSE_ANOTHER)


def test_the_home_folder_is_meant_where_the_shell_left_it_to_us(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_run_folder(replace(tiny, out="~/x")) == tmp_path / "x"
    assert make_folder(Path("~/y")) == tmp_path / "y"
