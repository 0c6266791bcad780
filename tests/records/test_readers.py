import io
import json
import tracemalloc
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipeline.records.readers import (
    DamagedError,
    array_in,
    damage_named,
    moment,
    read_arrays,
    read_bytes,
    read_json,
    read_record,
    read_sealed,
)


def read_array(path):
    with damage_named(path):
        return array_in(read_bytes(path))


@dataclass(frozen=True)
class Note:
    text: str
    count: int


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"a": 1}' + b" " * 20_000_000])
def test_json_that_is_none(content, tmp_path):
    path = tmp_path / "note.json"
    path.write_bytes(content)
    for read in (read_json, read_sealed, lambda path: read_record(path, Note)):
        with pytest.raises(DamagedError, match="note.json is damaged"):
            read(path)


def test_a_folder_where_a_file_belongs_and_nothing_at_all(tmp_path):
    for read in (read_json, read_array, read_arrays, lambda path: read_record(path, Note)):
        with pytest.raises(DamagedError, match="cannot be read"):
            read(tmp_path)
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nothing")


def test_a_record_says_which_field_is_wrong(tmp_path):
    path = tmp_path / "note.json"
    path.write_text('{"text": "x", "count": "many"}')
    with pytest.raises(DamagedError, match="count: Input should be a valid integer"):
        read_record(path, Note)
    path.write_text('{"text": "x", "count": 3}')
    assert read_record(path, Note) == Note("x", 3)


def test_every_flipped_bit_of_arrays_is_damage_or_changes_nothing(tmp_path):
    """A bit of a header, of the data, of the zip around them; those that no reader needs change nothing."""
    arrays = {"meta": np.array(json.dumps({"x": 1})), "numbers": np.arange(6, dtype=np.float32).reshape(2, 3)}
    stream, path = io.BytesIO(), tmp_path / "checkpoint.npz"
    np.savez(stream, **arrays)
    whole = stream.getvalue()
    damaged = 0
    for bit in range(0, 8 * len(whole), 3):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            found = read_arrays(path)
        except DamagedError:
            damaged += 1
            continue
        assert all(np.array_equal(found[name], array) for name, array in arrays.items() if name in found)
    assert damaged > 1000


def test_a_header_that_lies_about_the_shape_is_damage(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((40, 10), np.float32))
    content = path.read_bytes()
    for shape in (b"(10, 10)", b"(99, 10)"):
        path.write_bytes(content.replace(b"(40, 10)", shape))
        with pytest.raises(DamagedError, match=r"rows\.npy is damaged"):
            read_array(path)


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "rows.npy", np.array([{}], object))
    np.savez(tmp_path / "rows.npz", rows=np.array([{}], object))
    for read, name in ((read_array, "rows.npy"), (read_arrays, "rows.npz")):
        with pytest.raises(DamagedError, match="allow_pickle"):
            read(tmp_path / name)


def test_what_would_unpack_to_more_than_a_record_may_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("rows.npy", "w") as entry:
        for _ in range(60):
            entry.write(bytes(1_000_000))
    tracemalloc.start()
    with pytest.raises(DamagedError, match="it would unpack to more than"):
        read_arrays(path, largest=50_000_000)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_time_without_a_zone_is_utc_and_one_in_the_future_is_now():
    assert moment("2026-11-28T07:00:00") == datetime(2026, 11, 28, 7, tzinfo=UTC)
    assert moment("2026-11-28T07:00:00+02:00") == datetime(2026, 11, 28, 5, tzinfo=UTC)
    assert datetime.now(UTC) - moment("2999-01-01T00:00:00+00:00") < timedelta(minutes=1)
    with pytest.raises(ValueError, match="isoformat"):
        moment("yesterday")
