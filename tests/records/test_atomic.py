import pytest

from pipeline.config.errors import UserError
from pipeline.records.atomic import atomic_replace


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
