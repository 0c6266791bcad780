from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.errors import UserError
from pipeline.kaggle.submission_log import Entry, read_log, record

ENTRY = Entry("1", "2026-11-23T10:00:00+00:00", "x.csv", "0" * 64, None, None, "a message")


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_an_entry_is_replaced_not_repeated():
    assert read_log() == []
    record(ENTRY)
    record(replace(ENTRY, id="2"))
    ended = record(replace(ENTRY, status="complete", score=0.5))
    assert read_log() == [ended, replace(ENTRY, id="2")]
    assert len(Path("submissions/log.jsonl").read_text().splitlines()) == 2


def test_a_damaged_line_is_named():
    record(ENTRY)
    for line in (b"{}", b"\xff\xfe", b'{"id": 1}', b""):
        log = Path("submissions/log.jsonl")
        whole = log.read_bytes()
        log.write_bytes(whole + line + b"\n")
        with pytest.raises(UserError, match=r"log.jsonl, line 2 is not an entry"):
            read_log()
        log.write_bytes(whole)
    assert read_log() == [ENTRY]


def test_entries_recorded_at_the_same_time_are_all_kept():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: record(replace(ENTRY, id=str(i))), range(40)))
    assert sorted(int(entry.id) for entry in read_log()) == list(range(40))


def test_a_description_is_known_by_its_mark():
    entry = replace(ENTRY, id="0123abcd", sha256="f" * 64)
    assert entry.description == "a message [ffffffffffff-0123abcd]"
    assert entry.is_described_by(entry.description)
    assert entry.is_described_by("whatever [0123abcd]")  # as earlier versions wrote it
    assert not entry.is_described_by("a message [ffffffffffff-99999999]")
    assert not entry.is_described_by("a message 0123abcd")
    assert not entry.is_described_by(None)
