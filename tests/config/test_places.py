from dataclasses import replace

import pytest

from pipeline.config import places as paths
from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, default_run_folder, make_folder
from pipeline.data.digits import load
from pipeline.records.atomic import atomic_replace


def test_default_folder_depends_on_the_recipe_alone(tiny):
    assert default_run_folder(tiny) == default_run_folder(replace(tiny, data="elsewhere"))
    assert default_run_folder(tiny) == default_run_folder(replace(tiny, seeds=2, arms=("relu",), folds_used=3))
    assert default_run_folder(tiny) != default_run_folder(replace(tiny, train=replace(tiny.train, epochs=4)))
    assert default_run_folder(tiny) != default_run_folder(replace(tiny, split_seed=1))
    assert default_run_folder(tiny).parts[0] == "runs"
    assert str(default_run_folder(replace(tiny, out="x/y"))) == "x/y"


def test_written_aside_replaces_files_and_folders_whole(tmp_path):
    file, folder = tmp_path / "file", tmp_path / "folder"
    for text in ("old", "new"):
        with atomic_replace(file) as temporary:
            temporary.write_text(text)
        with atomic_replace(folder) as temporary:
            temporary.mkdir()
            (temporary / text).touch()
    assert file.read_text() == "new"
    assert [p.name for p in folder.iterdir()] == ["new"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_written_aside_keeps_the_old_when_writing_fails(tmp_path):
    target = tmp_path / "target"
    target.write_text("old")

    def fail() -> None:
        with atomic_replace(target) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to the folder .*file/run: Not a directory. Give the command in"):
        make_folder(tmp_path / "file" / "run")
    with pytest.raises(UserError, match=r"cannot write to the folder .*file/run: Not a directory. Choose .* --out"):
        make_folder(tmp_path / "file" / "run", CHOOSE_ANOTHER)


@pytest.mark.parametrize("layout", ["competitions/digit-recognizer", "digit-recognizer"])
def test_the_data_is_found_where_kaggle_has_it_now_and_had_it_before(layout, csv_source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "KAGGLE_INPUT", tmp_path / "input")
    place = tmp_path / "input" / layout
    place.parent.mkdir(parents=True)
    place.symlink_to(csv_source)
    assert load("auto").source == str(place)
