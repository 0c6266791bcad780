"""The competition's data, from the loopback server to data/."""

import io
import resource
import zipfile
from pathlib import Path

import pytest
from kaggle_server import cut_short

from pipeline.config.errors import RunError, UserError
from pipeline.data.digits import load
from pipeline.kaggle.download import ARCHIVE, CSV_FILES, download_data

DATA = Path("data")


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        for name, text in files.items():
            content.writestr(name, text)
    return stream.getvalue()


def names():
    return sorted(path.name for path in DATA.iterdir())


def test_it_arrives_whole_and_is_skipped_when_there(account, server, csv_source, capsys):
    download_data()
    assert names() == [ARCHIVE]
    assert load("auto").digest() == load(str(csv_source)).digest()
    calls = len(server.calls)
    download_data()
    assert len(server.calls) == calls
    assert "has the data already" in capsys.readouterr().out


@pytest.mark.parametrize("name", [ARCHIVE, "train.csv"])
def test_what_is_damaged_is_fetched_again(name, account, csv_source):
    DATA.mkdir()
    (DATA / name).write_text("label\n")
    download_data()
    assert load("auto").digest() == load(str(csv_source)).digest()


@pytest.mark.parametrize("name", ["Train.csv", "train.csv.zip"])
def test_what_would_be_read_in_place_of_the_archive_is_named(name, account):
    DATA.mkdir()
    (DATA / name).write_bytes(zipped(**{"train.csv": "label\n"}))
    with pytest.raises(UserError, match=rf"something else in data/ is read in its place: data/{name}.*Move that away"):
        download_data()
    (DATA / name).unlink()
    assert len(load("auto").labels) == 100


def test_a_broken_transfer_goes_on_where_it_broke(account, server, csv_source, capsys):
    stream = io.BytesIO(server.archive)
    with zipfile.ZipFile(stream, "a") as content:
        content.writestr("more.bin", bytes(300_000))
    server.archive = stream.getvalue()
    half = cut_short(server.archive[:200_000])
    half.headers["Content-Length"] = str(len(server.archive))
    server.faults["File"] = [half]
    download_data()
    assert (DATA / ARCHIVE).read_bytes() == server.archive
    assert server.ranges == ["bytes=196608-"]  # three chunks were whole
    assert "no answer from Kaggle" in capsys.readouterr().err


@pytest.mark.parametrize(("fault", "message"), [(403, "https://www.kaggle.com/c/digit-recognizer/rules"), (500, None)])
def test_refusals(fault, message, account, server):
    server.faults["DownloadDataFiles"] = [fault]
    if message:
        with pytest.raises(UserError, match=message):
            download_data()
        assert names() == [".download"]
    download_data()
    assert (DATA / ARCHIVE).exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda whole: whole[:500] + b"\0" * 100 + whole[600:], "damaged"),
        (lambda _: zipped(**dict.fromkeys(CSV_FILES, "label\n1\n")), "train.csv, line 1: the columns must be label"),
        (lambda _: b"<html>a log-in page</html>", "damaged or cut short .File is not a zip file"),
    ],
)
def test_what_arrived_is_read_before_it_counts_and_before_it_replaces_anything(spoil, message, account, server):
    whole = server.archive
    DATA.mkdir()
    (DATA / "train.csv").write_text("the one before")
    server.archive = spoil(whole)
    with pytest.raises(RunError, match=f"what arrived cannot be used: .*{message}.*Rerun the same command"):
        download_data()
    assert (DATA / "train.csv").read_text() == "the one before"
    server.archive = whole
    download_data()
    assert len(load("auto").labels) == 100


def test_a_full_disk_is_named_and_the_next_try_goes_on(account, server):
    """A limit on the size of files, in the middle of the zip."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"data/.*cannot be written .File too large.*Then rerun the same command"):
            download_data()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names() == [".download"]
    download_data()
    assert (DATA / ARCHIVE).read_bytes() == server.archive
