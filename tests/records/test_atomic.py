import pytest

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
