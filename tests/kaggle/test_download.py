"""The competition's data, from the loopback server to data/."""

import io
import resource
import stat
import zipfile
from pathlib import Path

import pytest
from kaggle_server import cut_short

from pipeline.config.errors import RunError, UserError
from pipeline.data.digits import load
from pipeline.kaggle import download as module
from pipeline.kaggle.download import FILES, download_data


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        for name, text in files.items():
            content.writestr(name, text)
    return stream.getvalue()


def test_it_arrives_unpacked_and_is_skipped_when_whole(account, server, csv_source, capsys):
    download_data()
    for name in FILES:
        assert (Path("data") / name).read_bytes() == (csv_source / name).read_bytes()
    assert len(load("auto").labels) == 100
    assert sorted(p.name for p in Path("data").iterdir()) == sorted([*FILES, "download.json"])
    calls = len(server.calls)
    download_data()
    assert len(server.calls) == calls
    assert "has the data already" in capsys.readouterr().out


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("label\n")])
def test_what_is_missing_or_changed_is_fetched_again(harm, account, csv_source):
    download_data()
    harm(Path("data/train.csv"))
    download_data()
    assert Path("data/train.csv").read_bytes() == (csv_source / "train.csv").read_bytes()


def test_a_broken_transfer_goes_on_where_it_broke(account, server, csv_source, capsys):
    stream = io.BytesIO(server.archive)
    with zipfile.ZipFile(stream, "a") as content:
        content.writestr("more.bin", bytes(300_000))
    server.archive = stream.getvalue()
    half = cut_short(server.archive[:200_000])
    half.headers["Content-Length"] = str(len(server.archive))
    server.faults["File"] = [half]
    download_data()
    assert Path("data/train.csv").read_bytes() == (csv_source / "train.csv").read_bytes()
    assert server.ranges == ["bytes=196608-"]  # three chunks were whole
    assert "the connection to Kaggle failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (403, UserError, "https://www.kaggle.com/c/digit-recognizer/rules"),
        (401, UserError, "credentials are not valid"),
        (404, UserError, "still open"),
        (500, None, ""),
    ],
)
def test_refusals(fault, kind, message, account, server):
    server.faults["DownloadDataFiles"] = [fault]
    if kind:
        with pytest.raises(kind, match=message):
            download_data()
        assert not any((Path("data") / name).exists() for name in FILES)
    download_data()
    assert (Path("data") / "train.csv").exists()


def test_a_zip_that_is_damaged(account, server):
    whole = server.archive
    server.archive = whole[:500] + b"\0" * 100 + whole[600:]
    with pytest.raises(RunError, match="what arrived cannot be used.*damaged.*Rerun the same command"):
        download_data()
    server.archive = whole
    download_data()
    assert len(load("auto").labels) == 100


def test_entries_that_point_elsewhere_end_up_nowhere(account, server, tmp_path):
    whole = server.archive
    stream = io.BytesIO(whole)
    with zipfile.ZipFile(stream, "a") as content:
        content.writestr("../../evil.txt", "x")
    server.archive = stream.getvalue()
    with pytest.raises(RunError, match=r"the entry '../../evil.txt' points outside of the zip"):
        download_data()
    assert not list(tmp_path.rglob("evil.txt"))


def a_link():
    entry = zipfile.ZipInfo("train.csv")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        content.writestr(entry, "/etc/passwd")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (zipped(**dict.fromkeys(FILES, "label\n1\n")), "train.csv, line 1: the columns must be label"),
        (a_link(), "train.csv is a link or a device"),
        (zipped(**{"train.csv": "x"}), "has no test.csv: it is not the competition's data"),
        (b"<html>a log-in page</html>", "damaged or cut short .File is not a zip file"),
    ],
)
def test_what_arrived_is_read_before_it_counts_and_before_it_replaces_anything(archive, message, account, server):
    whole = server.archive
    Path("data").mkdir()
    Path("data/train.csv").write_text("the one before")
    server.archive = archive
    with pytest.raises(RunError, match=f"what arrived cannot be used: .*{message}.*Rerun the same command"):
        download_data()
    assert Path("data/train.csv").read_text() == "the one before"
    server.archive = whole
    download_data()
    assert len(load("auto").labels) == 100


def test_a_zip_that_unpacks_without_measure(account, server, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_FILE", 1000)
    with pytest.raises(RunError, match=r"what arrived cannot be used: .*train.csv unpacks to more than 1,000 bytes"):
        download_data()
    assert not Path("data/train.csv").exists()


@pytest.mark.parametrize("room", [1000, 100_000])
def test_a_full_disk_is_named_and_the_next_try_goes_on(room, account, server, csv_source):
    """A limit on the size of files, first in the middle of the zip, then of what is unpacked."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(RunError, match=r"data/.*cannot be written .File too large.*Then rerun the same command"):
            download_data()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(p.name for p in Path("data").iterdir()) == [".download"]
    download_data()
    assert Path("data/train.csv").read_bytes() == (csv_source / "train.csv").read_bytes()
