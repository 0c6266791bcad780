import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config.errors import UserError
from pipeline.kaggle.submission_log import Entry, keep_copy, read_log, record
from pipeline.records.atomic import file_sha256

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
    with Path("submissions/log.jsonl").open("a") as stream:
        stream.write("{}\n")
    with pytest.raises(UserError, match=r"log.jsonl, line 2 is not an entry"):
        read_log()


def test_copies_are_named_by_their_content(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_bytes(b"ImageId,Label\n1,2\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert file_sha256(path) == digest
    copy = keep_copy(path, "original")
    assert copy == Path("submissions") / f"original-{digest[:8]}.csv"
    assert copy.read_bytes() == path.read_bytes()
    assert keep_copy(path, "original") == copy
