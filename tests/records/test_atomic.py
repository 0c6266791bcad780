import os
from pathlib import Path

import pytest

from pipeline.config.errors import UserError
from pipeline.records.atomic import atomic_replace, remove_leftovers


def test_files_and_folders_are_replaced_whole(tmp_path):
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


def test_the_old_is_kept_when_writing_fails(tmp_path):
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


def test_writers_in_one_process_share_no_temporary_name_and_all_are_cleaned_up(tmp_path):
    target = tmp_path / ("x" * 250)  # as long as file systems allow
    with atomic_replace(target) as first, atomic_replace(target) as second:
        first.write_text("first")
        second.write_text("second")
        assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name}
        remove_leftovers(tmp_path)
        assert list(tmp_path.iterdir()) == []
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"
    (tmp_path / ".report.html.17.part").touch()  # as earlier versions named them
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [target]


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Of a folder, every file."""
    done, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: done.append(Path(f"/proc/self/fd/{file}").readlink()) or fsync(file))
    monkeypatch.setattr(Path, "replace", lambda path, to: done.append(f"{to.name} is there") or replace(path, to))
    with atomic_replace(tmp_path / "folder") as temporary:
        temporary.mkdir()
        for name in ("a", "b"):
            (temporary / name).write_text("x")
    assert {path.name for path in done[:2]} == {"a", "b"}
    assert done[2:] == ["folder is there"]


def test_a_folder_takes_the_place_of_a_file(tmp_path):
    (tmp_path / "member").write_text("where a folder belongs")
    with atomic_replace(tmp_path / "member") as temporary:
        temporary.mkdir()
    assert list(tmp_path.iterdir()) == [tmp_path / "member"]
    assert (tmp_path / "member").is_dir()


def test_a_file_never_takes_the_place_of_a_folder(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text("precious")
    with (
        pytest.raises(UserError, match="data is a folder, so no file can be written there"),
        atomic_replace(folder) as new,
    ):
        new.write_text("x")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("train.csv", "precious")]
    assert list(tmp_path.iterdir()) == [folder]
