"""The competition's data, from the loopback server to data/."""

import io
import zipfile
from pathlib import Path

import pytest
from kaggle_server import cut_short

from pipeline.config.errors import RunError, UserError
from pipeline.data.digits import load
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


def test_a_broken_transfer_goes_on_where_it_broke(account, server, csv_source):
    half = cut_short(server.archive[:1000])
    half.headers["Content-Length"] = str(len(server.archive))
    server.faults["File"] = [half]
    download_data()
    assert Path("data/train.csv").read_bytes() == (csv_source / "train.csv").read_bytes()
    assert server.calls.count("File") == 2


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


def test_a_zip_that_is_damaged_or_not_the_competitions(account, server):
    whole = server.archive
    server.archive = whole[:500] + b"\0" * 100 + whole[600:]
    with pytest.raises(RunError, match="arrived damaged.*Give the same command again"):
        download_data()
    server.archive = zipped(**{"readme.txt": "hello"})
    with pytest.raises(RunError, match=r"lacks sample_submission.csv, test.csv, train.csv"):
        download_data()
    server.archive = whole
    download_data()
    assert len(load("auto").labels) == 100


def test_entries_that_point_elsewhere_end_up_nowhere(account, server, tmp_path):
    server.archive = zipped(**dict.fromkeys(FILES, "x"), **{"../../evil.txt": "x", "/tmp/evil.txt": "x"})
    download_data()
    assert sorted(p.name for p in Path("data").iterdir()) == sorted([*FILES, "download.json"])
    assert not list(tmp_path.rglob("evil.txt"))
