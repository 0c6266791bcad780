import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.kaggle.submission_log import Entry, read_log, record

LOG = Path("submissions/log.jsonl")
ENTRY = Entry("1", "2026-11-23T10:00:00+00:00", "x.csv", "0" * 64, "a message")


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


def test_damaged_lines_are_named_left_alone_and_passed_over(capsys):
    first = json.dumps(asdict(ENTRY)).encode()
    damaged = [
        *(b"{}", b"\xff\xfe", b'{"id": 1}', b"", b"[" * 100_000),
        *(first.replace(b"2026-11-23T10:00:00+00:00", time) for time in (b"yesterday", b"", b"9999-99-99")),
    ]
    LOG.parent.mkdir()
    LOG.write_bytes(b"".join(line + b"\n" for line in [*damaged, first]))
    assert read_log() == [ENTRY]
    warnings = capsys.readouterr().err
    assert [f"log.jsonl, line {i} is not an entry" in warnings for i in range(1, 10)] == [True] * 8 + [False]
    other = record(replace(ENTRY, id="2"))
    assert LOG.read_bytes().splitlines() == [*damaged, first, json.dumps(asdict(other)).encode()]


@pytest.mark.parametrize("time", ["2026-11-23T10:00:00", "2026-11-23", "2999-01-01T00:00:00+00:00", "20261123T10Z"])
def test_a_time_without_a_zone_without_a_time_or_in_the_future_becomes_one_that_can_be_compared(time):
    record(replace(ENTRY, time=time))
    (entry,) = read_log()
    assert datetime.fromisoformat(entry.time) <= datetime.now(UTC)


def test_entries_recorded_at_the_same_time_are_all_kept():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: record(replace(ENTRY, id=str(i))), range(40)))
    assert sorted(int(entry.id) for entry in read_log()) == list(range(40))


def test_a_description_is_known_by_its_mark():
    entry = replace(ENTRY, id="0123abcd", sha256="f" * 64)
    assert entry.description == "a message [ffffffffffff-0123abcd]"
    assert entry.is_described_by(entry.description)
    assert not entry.is_described_by("a message [ffffffffffff-99999999]")
    assert not entry.is_described_by("a message [0123abcd]")
    assert not entry.is_described_by("")
