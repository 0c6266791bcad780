"""The competition's files as `pipeline.data.load` meets them: whole, and damaged in every way."""

import gzip
import shutil
import zipfile

import numpy as np
import pytest

from pipeline.config.errors import UserError
from pipeline.data.digits import Digits, load


def make_zip(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.glob("*.csv"):
            archive.write(file, file.name)
    return path


def edit(path, line, change):
    lines = path.read_text().splitlines()
    lines[line - 1] = change(lines[line - 1])
    path.write_text("\n".join(lines) + "\n")


def set_field(column, text):
    return lambda line: ",".join(text if i == column else field for i, field in enumerate(line.split(",")))


def same(a: Digits, b: Digits) -> bool:
    return a.digest() == b.digest()


def test_folder_gz_and_zip_hold_the_same(csv_folder, digits, tmp_path):
    loaded = load(str(csv_folder))
    assert same(loaded, digits)
    assert loaded.images.dtype == loaded.labels.dtype == loaded.test_images.dtype == np.uint8
    assert loaded.images.shape == (100, 28, 28)
    assert loaded.held_back_labels is None

    archive = make_zip(csv_folder, tmp_path / "any-name.zip")
    assert same(load(str(archive)), digits)

    inside = tmp_path / "inside"
    inside.mkdir()
    shutil.copy(archive, inside / "digit-recognizer.zip")
    assert same(load(str(inside)), digits)

    gz = tmp_path / "gz"
    gz.mkdir()
    for file in csv_folder.glob("*.csv"):
        (gz / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert same(load(str(gz)), digits)


def test_byte_order_mark_and_windows_line_ends(csv_folder, digits):
    train = csv_folder / "train.csv"
    train.write_bytes(b"\xef\xbb\xbf" + train.read_bytes().replace(b"\n", b"\r\n"))
    assert same(load(str(csv_folder)), digits)


FAULTS = {
    "label above 9": (lambda d: edit(d / "train.csv", 3, set_field(0, "10")), r"train.csv, line 3: a label .* 10"),
    "pixel above 255": (
        lambda d: edit(d / "train.csv", 5, set_field(8, "256")),
        r"train.csv, line 5, column pixel7: expected an integer in 0..255, received '256'",
    ),
    "negative pixel": (lambda d: edit(d / "test.csv", 2, set_field(0, "-1")), r"test.csv, line 2, column pixel0.*'-1'"),
    "fraction": (lambda d: edit(d / "test.csv", 4, set_field(3, "1.5")), r"line 4, column pixel3.*'1.5'"),
    "word": (lambda d: edit(d / "test.csv", 4, set_field(3, "x")), r"line 4, column pixel3.*'x'"),
    "NaN": (lambda d: edit(d / "test.csv", 4, set_field(3, "NaN")), r"line 4, column pixel3.*'NaN'"),
    "empty field": (lambda d: edit(d / "train.csv", 2, set_field(0, "")), r"line 2, column label.*''"),
    "huge": (lambda d: edit(d / "train.csv", 2, set_field(1, "9" * 30)), r"line 2, column pixel0"),
    "short row": (
        lambda d: edit(d / "train.csv", 101, lambda s: s[: len(s) // 2].rstrip(",")),
        r"line 101: expected 785 fields, received",
    ),
    "long row": (lambda d: edit(d / "train.csv", 4, lambda s: s + ",0"), r"line 4: expected 785 fields, received 786"),
    "every row long": (
        lambda d: [edit(d / "test.csv", line, lambda s: s + ",0") for line in range(2, 32)],
        r"test.csv, line 2: expected 784 fields, received 785",
    ),
    "column missing": (
        lambda d: edit(d / "train.csv", 1, lambda s: s.replace(",pixel5,", ",")),
        r"train.csv, line 1.*missing 1 \(pixel5\)",
    ),
    "column extra": (lambda d: edit(d / "train.csv", 1, lambda s: s + ",what"), r"extra 1 \(what\)"),
    "columns reordered": (
        lambda d: edit(d / "train.csv", 1, lambda s: s.replace("pixel5,pixel6", "pixel6,pixel5")),
        r"out of order, first at column 7: expected pixel5, received pixel6",
    ),
    "no header": (lambda d: edit(d / "test.csv", 1, lambda s: "0," * 783 + "0"), r"missing 784"),
    "empty file": (lambda d: (d / "train.csv").write_text(""), r"line 1.*missing 785"),
    "header alone": (lambda d: edit(d / "test.csv", 1, str) or keep_lines(d / "test.csv", 1), r"no rows below"),
    "no test.csv": (lambda d: (d / "test.csv").unlink(), r"test.csv \(or test.csv.gz\) is not in there.*download"),
    "rows unlike sample submission": (
        lambda d: keep_lines(d / "test.csv", 30),
        r"test.csv has 29 rows but sample_submission.csv has 30",
    ),
    "id twice": (lambda d: edit(d / "sample_submission.csv", 3, lambda _: "1,0"), r"ImageId twice"),
    "binary": (lambda d: (d / "test.csv").write_bytes(b"\xff\xfe\x00"), r"test.csv: damaged"),
}


def keep_lines(path, count):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:count]))


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(csv_folder, name):
    damage, message = FAULTS[name]
    damage(csv_folder)
    with pytest.raises(UserError, match=f"(?s){message}"):
        load(str(csv_folder))


def test_broken_archives(csv_folder, tmp_path):
    archive = make_zip(csv_folder, tmp_path / "a.zip")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"a.zip.*damaged or cut short"):
        load(str(archive))
    middle = len(whole) // 3
    archive.write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
    with pytest.raises(UserError, match=r"a.zip"):
        load(str(archive))

    gz = tmp_path / "gz"
    gz.mkdir()
    packed = gzip.compress((csv_folder / "train.csv").read_bytes())
    (gz / "train.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UserError, match=r"train.csv: damaged or cut short"):
        load(str(gz))


@pytest.mark.parametrize("entry", ["../train.csv", "/etc/train.csv", "a/../../b", "..\\b"])
def test_zip_that_points_outside(csv_folder, tmp_path, entry):
    archive = make_zip(csv_folder, tmp_path / "a.zip")
    with zipfile.ZipFile(archive, "a") as content:
        content.writestr(entry, "x")
    with pytest.raises(UserError, match="points outside of the zip"):
        load(str(archive))
