from pathlib import Path

import numpy as np
import pytest
from factories import votes

from pipeline.config.errors import RunError, UserError
from pipeline.data.submission_file import check_submission
from pipeline.ensemble.submission import keep_copy, write_submission
from pipeline.records.atomic import file_sha256
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record

IDS = np.array([7, 8, 9])


def test_written_to_the_byte_beside_its_record(tmp_path, tiny):
    folder = RunFolder(tmp_path)
    folder.write_config(tiny)
    write_submission(folder, IDS, np.array([0, 9, 3]), votes(2, missing=1))
    assert folder.submission.read_bytes() == b"ImageId,Label\n7,0\n8,9\n9,3\n"
    check_submission(folder.submission, IDS)
    record = read_submission_record(folder)
    assert (record.sha256, record.config_sha256) == (file_sha256(folder.submission), file_sha256(folder.config))
    assert (record.voters, record.missing, record.incomplete) == (2, 1, "2 of 3 networks voted")


def test_a_bad_submission_is_never_written(tmp_path):
    folder = RunFolder(tmp_path)
    folder.submission.write_text("the one before")
    for ids, labels, error in (
        (IDS, np.array([0, 1, 12]), "0 to 9"),
        (IDS, np.array([0, 1, 2.5]), "expected two integers"),
        (np.arange(30), np.full(30, 3), "give every image the digit 3"),
    ):
        with pytest.raises((UserError, RunError), match=error):
            write_submission(folder, ids, labels, votes(2))
        assert folder.submission.read_text() == "the one before"
        assert len(list(tmp_path.iterdir())) == 1


def test_copies_are_named_by_their_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "submission.csv"
    path.write_bytes(b"ImageId,Label\n1,2\n")
    digest = file_sha256(path)
    copy = keep_copy(path.read_bytes(), "original")
    assert copy == Path("submissions") / f"original-{digest[:8]}.csv"
    assert copy.read_bytes() == path.read_bytes()
    assert keep_copy(path.read_bytes(), "original") == copy
