"""The competition's files as people have them: whole, packed, and damaged in every way."""

import gzip
import io
import re
import shutil
import stat
import tarfile
import tracemalloc
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.errors import UserError
from pipeline.data import csv_files
from pipeline.data.csv_files import read_csv
from pipeline.data.digits import PIXELS, Digits, load


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


FIELD = re.compile(r"(?<=[,\n])([0-9]+)(?=[,\n])")
FORMS = {
    "old Macintosh line ends": lambda text: text.replace("\n", "\r"),
    "no end of the last line": lambda text: text.rstrip("\n"),
    "blank lines": lambda text: text.replace("\n", "\n\n") + " \n\n",
    "quotes, as R writes them": lambda text: re.sub(r"([^,\n]+)", r'"\1"', text),
    "spaces after the commas": lambda text: text.replace(",", ", "),
    "floats, as pandas saves a column that had a blank": lambda text: FIELD.sub(r"\1.0", text),
    "exponents": lambda text: FIELD.sub(lambda field: f"{int(field[1]):.2e}", text),
    "all forms of numbers": lambda text: FIELD.sub(r' "+\g<1>.00e0"', text),
}


@pytest.mark.parametrize("block", [csv_files.BLOCK, 40_000])
@pytest.mark.parametrize("name", FORMS)
def test_other_forms_of_the_same_table(name, block, csv_folder, digits, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK", block)
    for path in csv_folder.iterdir():
        path.write_bytes(FORMS[name](path.read_text()).encode())
    assert same(load(str(csv_folder)), digits)


def test_lines_are_counted_over_blocks(csv_folder, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK", 40_000)
    edit(csv_folder / "train.csv", 90, set_field(4, "x"))
    with pytest.raises(UserError, match=r"train.csv, line 90, column pixel3: .* received 'x'"):
        load(str(csv_folder))


def pack_each(folder, target):
    """train.csv.zip and so on, as single downloads are."""
    for path in folder.glob("*.csv"):
        with zipfile.ZipFile(target / f"{path.name}.zip", "w") as archive:
            archive.write(path, path.name)


def pack_folder(folder, target):
    """A folder in the competition's zip, and what macOS adds to it."""
    with zipfile.ZipFile(target / "digit-recognizer.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.glob("*.csv"):
            archive.write(path, f"digit-recognizer/{path.name}")
            archive.writestr(f"__MACOSX/digit-recognizer/{path.name}", "rubbish")


def unpack_each(folder, target):
    """train.csv/train.csv, as Windows unpacks them."""
    for path in folder.glob("*.csv"):
        (target / path.name).mkdir()
        shutil.copy(path, target / path.name)


def unpack_folder(folder, target):
    shutil.copytree(folder, target / "digit-recognizer")
    (target / "__MACOSX").mkdir()
    shutil.copytree(folder, target / ".download")


def rename_zips(folder, target):
    """A zip that is called train.csv."""
    pack_each(folder, target)
    for path in target.iterdir():
        path.rename(path.with_suffix(""))


def download_again(folder, target):
    make_zip(folder, target / "digit-recognizer (1).zip")


def pack_under_another_name(folder, target):
    make_zip(folder, target / "Kaggle data.zip")
    (target / "broken.zip").write_bytes(b"PK")


def write_in_capitals(folder, target):
    for path in folder.iterdir():
        shutil.copy(path, target / path.name.title())


def pack_what_is_packed(folder, target):
    """Gzipped files in a folder in a zip in a zip."""
    with zipfile.ZipFile(target / "digit-recognizer.zip.zip", "w") as outer, io.BytesIO() as inner:
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as content:
            for path in folder.iterdir():
                content.writestr(f"all/{path.name}.gz", gzip.compress(path.read_bytes()))
        outer.writestr("digit-recognizer.zip", inner.getvalue())


PACKS = [
    *(pack_each, pack_folder, unpack_each, unpack_folder, rename_zips),
    *(download_again, pack_under_another_name, write_in_capitals, pack_what_is_packed),
]


@pytest.mark.parametrize("pack", PACKS)
def test_files_are_found_where_people_have_them(pack, csv_folder, digits, tmp_path):
    target = tmp_path / "there"
    target.mkdir()
    pack(csv_folder, target)
    assert same(load(str(target)), digits)


def test_of_a_csv_and_a_zip_the_csv_is_read_and_told(csv_folder):
    make_zip(csv_folder, csv_folder / "digit-recognizer.zip")
    assert load(str(csv_folder)).source == f"{csv_folder} (train.csv is read, not digit-recognizer.zip)"


def test_two_folders_with_the_data(csv_folder, tmp_path):
    for name in ("old", "new"):
        shutil.copytree(csv_folder, tmp_path / "both" / name)
    with pytest.raises(UserError, match=r"both/new, .*both/old all have train.csv. Name one of them with --data"):
        load(str(tmp_path / "both"))


def lay_tar(folder):
    with tarfile.open(folder / "data.tar.gz", "w:gz") as archive:
        archive.add(folder / "train.csv", "train.csv")
    (folder / "train.csv").unlink()


def lay_two_copies(folder):
    for number in (1, 2):
        (folder / "train.csv").with_name(f"train ({number}).csv").write_text("")
    (folder / "train.csv").unlink()


def lay_link(folder):
    (folder / "train.csv").unlink()
    (folder / "train.csv").symlink_to("/gone/train.csv")


def lay_foreign_names(folder):
    (folder / "train.csv").rename(folder / "tr\udce4in\x1b[31m.csv")


THERE = {
    "a tar": (lay_tar, r"it has data.tar.gz, .*If it is in data.tar.gz: unpack that, and name the folder with --data"),
    "two copies": (lay_two_copies, r"train \(1\).csv, .*train \(2\).csv all have train.csv. Name one"),
    "a link": (lay_link, r"train.csv \(is a link to /gone/train.csv, which is not there\)"),
    "foreign names": (lay_foreign_names, r"it has .*'tr\\udce4in\\x1b\[31m.csv'"),
    "a tar by name": (lambda d: lay_tar(d) or d / "data.tar.gz", "data.tar is a tar archive. Unpack it, and name"),
    "a link as the folder": (
        lambda d: d.with_name("link").symlink_to("gone") or d.with_name("link"),
        "no data at .*link: it is a link to gone, which is not there",
    ),
    "no file": (lambda d: Path("/dev/null"), "/dev/null: train.csv .*; it is neither a file nor a folder"),
    "a zip in a zip": (
        lambda d: damaged_zip(d / "a.zip", "", filename="x") and zip_of(d / "b.zip", {"more.zip": (d / "a.zip")}),
        r"b.zip: train.csv .*; it has more.zip. If it is in more.zip: unpack that",
    ),
}


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in files.items():
            archive.write(file, name)
    return path


@pytest.mark.parametrize("name", THERE)
def test_what_lies_there_instead_is_named(name, csv_folder):
    lay, message = THERE[name]
    with pytest.raises(UserError, match=message) as caught:
        load(str(lay(csv_folder) or csv_folder))
    assert str(caught.value).isprintable()


NO_PIXELS = [
    *(
        "-1",
        "256",
        "256.0",
        "1.5",
        "0.99999999999999999999",
        "1e-400",
        "1.0.0",
        '1"2"',
        '1"',
        "x",
        "NaN",
        "",
        " ",
        "1_0",
    ),
    *("9" * 19, "1" * 6000, "1e400", "1\0", "\u0661"),
]


@pytest.mark.parametrize("as_floats", [False, True])
@pytest.mark.parametrize("text", NO_PIXELS, ids=lambda text: repr(text[:20]))
def test_a_field_that_is_no_pixel_is_named(text, as_floats, csv_folder):
    path = csv_folder / "test.csv"
    if as_floats:
        path.write_text(FIELD.sub(r"\1.0", path.read_text()))
    edit(path, 9, set_field(5, text))
    with pytest.raises(UserError) as caught:
        load(str(csv_folder))
    shown = repr(text) if len(text) <= 40 else f"{text[:40]!r}... (6,000 characters)"
    expected = f"{path}, line 9, column pixel5: expected an integer in 0..255, received {shown}"
    assert str(caught.value) == expected


def on(name, line, change):
    return lambda folder: edit(folder / f"{name}.csv", line, change)


def whole(name, change, encoding="utf-8"):
    def damage(folder):
        path = folder / f"{name}.csv"
        path.write_text(change(path.read_text()), encoding=encoding)

    return damage


FAULTS = {
    "label above 9": (on("train", 3, set_field(0, "10")), r"train.csv, line 3: a label .* 10"),
    "the index, as pandas saves it": (
        on("test", 1, lambda s: "," + s),
        r"line 1: .*as pandas writes its index. Save with index=False",
    ),
    "short row": (on("train", 101, lambda s: s[: len(s) // 2].rstrip(",")), r"line 101: expected 785 fields, received"),
    "long row": (on("train", 4, lambda s: s + ",0"), r"line 4: expected 785 fields, received 786"),
    "every row long": (
        lambda d: [edit(d / "test.csv", line, lambda s: s + ",0") for line in range(2, 32)],
        r"test.csv, line 2: expected 784 fields, received 785",
    ),
    "column missing": (
        on("train", 1, lambda s: s.replace(",pixel5,", ",")),
        r"train.csv, line 1.*missing 1 \(pixel5\)",
    ),
    "column extra": (on("train", 1, lambda s: s + ",what"), r"extra 1 \(what\)"),
    "columns reordered": (
        on("train", 1, lambda s: s.replace("pixel5,pixel6", "pixel6,pixel5")),
        r"out of order, first at column 7: expected pixel5, received pixel6",
    ),
    "no header": (on("test", 1, lambda s: "0," * 783 + "0"), r"missing 784"),
    "empty file": (whole("train", lambda s: ""), r"line 1.*missing 785"),
    "header alone": (whole("test", lambda s: s.partition("\n")[0]), r"no rows below"),
    "no test.csv": (
        lambda d: (d / "test.csv").unlink(),
        r"test.csv \(or .*\) is not in there; it has sample_submission.csv, train.csv. Get",
    ),
    "rows unlike sample submission": (
        whole("test", lambda s: s.strip().rpartition("\n")[0]),
        r"test.csv has 29 rows but sample_submission.csv has 30",
    ),
    "id twice": (
        on("sample_submission", 3, lambda _: "1,0"),
        r"sample_submission.csv, line 3: expected ImageId 2.*Received: 1",
    ),
    "ids from 0": (
        whole("sample_submission", lambda s: s.replace("\n", "\n0,0\n", 1)),
        r"sample_submission.csv, line 2: expected ImageId 1, .* Received: 0",
    ),
    "digit without a row": (
        whole("train", lambda s: re.sub(r"\n[37],.*", "", s)),
        r"train.csv has no image of the digit 3, 7",
    ),
    "semicolons": (whole("test", lambda s: s.replace(",", ";")), r"Received: columns separated by ';'"),
    "long and unreadable names": (
        on("test", 1, lambda s: s + "," + "x" * 5000 + ",\x1b[31m"),
        r"extra 2 \('x{40}'\.\.\. \(5,000 characters\), '\\x1b\[31m'\)$",
    ),
    "a column twice": (on("train", 1, lambda s: s + ",label"), r"label stands there twice"),
    "a quote in the header": (on("test", 1, lambda s: '"' + s), r"line 1: the columns must be"),
    "a line without end": (whole("test", lambda s: s + "0" * 70_000), r"a line has more than 65,536 characters"),
    "UTF-16": (whole("test", str, "utf-16"), r"test.csv: the text is UTF-16, as Windows writes it. Save it as UTF-8"),
    "UTF-16 without a mark": (whole("test", str, "utf-16-le"), r"test.csv: the text is UTF-16"),
    "Latin-1": (
        lambda d: (d / "test.csv").write_bytes((d / "test.csv").read_bytes().replace(b"pixel3,", b"pix\xe9l3,")),
        r"test.csv: damaged, or not UTF-8 text",
    ),
    "a web page": (
        whole("test", lambda s: "<!DOCTYPE html>\n<html>Sign in</html>\n"),
        r"extra 1 \('<!DOCTYPE html>'\)",
    ),
    "binary": (lambda d: (d / "test.csv").write_bytes(bytes(range(128, 256))), r"test.csv: damaged"),
    "not gzip": (
        lambda d: (d / "test.csv").rename(d / "test.csv.gz"),
        r"test.csv.gz: test.csv: damaged or cut short \(Not a gzipped file",
    ),
    "not a zip": (
        lambda d: (d / "test.csv").rename(d / "test.csv.zip"),
        r"test.csv.zip: test.csv: damaged or cut short \(File is not a zip file",
    ),
    "one file": (lambda d: str(d / "train.csv"), r"train.csv is one file. Name the folder"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named(csv_folder, name):
    damage, message = FAULTS[name]
    where = damage(csv_folder)
    with pytest.raises(UserError, match=f"(?s){message}") as caught:
        load(where if isinstance(where, str) else str(csv_folder))
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable() or "\n" in str(caught.value)


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


def damaged_zip(path, content, **changes):
    """A zip whose train.csv has other fields in its records than its bytes call for."""
    entry = zipfile.ZipInfo("train.csv")
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, content)
        for name, value in changes.items():
            setattr(archive.infolist()[0], name, value)
    return str(path)


def patched(path, at, value):
    """Write a 16-bit number at an offset of the zip's local and central records."""
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", at), (b"PK\x01\x02", at + 2)):
        start = content.index(magic) + offset
        content[start : start + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)
    return str(path)


ZIPS = {
    "a link": (
        lambda path: damaged_zip(path, "/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16),
        "train.csv is a link or a device, not a file",
    ),
    "encrypted": (lambda path: patched(Path(damaged_zip(path, "x")), 6, 1), "train.csv is encrypted. Unpack"),
    "Zstandard": (
        lambda path: patched(Path(damaged_zip(path, "x")), 8, 93),
        "train.csv: damaged|method is not supported",
    ),
    "AES": (lambda path: patched(Path(damaged_zip(path, "x")), 8, 99), "method is not supported"),
    "LZMA that is none": (lambda path: patched(Path(damaged_zip(path, "x" * 99)), 8, 14), "train.csv: damaged"),
    "bzip2 that is none": (lambda path: patched(Path(damaged_zip(path, "x" * 99)), 8, 12), "train.csv: damaged"),
    "a declared bomb": (
        lambda path: damaged_zip(path, "label", file_size=1 << 40),
        "would unpack to 1,099,511,627,776 bytes; at most 536,870,912 are read",
    ),
}


@pytest.mark.parametrize("name", ZIPS)
def test_zips_that_cannot_be_trusted(name, tmp_path):
    make, message = ZIPS[name]
    with pytest.raises(UserError, match=message):
        load(make(tmp_path / "a.zip"))


def test_the_same_file_twice_in_a_zip(csv_folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for folder in ("old", "new"):
            archive.write(csv_folder / "train.csv", f"{folder}/train.csv")
    with pytest.raises(UserError, match="train.csv is in there 2 times"):
        load(str(tmp_path / "a.zip"))


BOMBS = {
    "gzip": lambda path, content: path.with_name("train.csv.gz").write_bytes(gzip.compress(content, 1)),
    "zip": lambda path, content: damaged_zip(path.with_name("digit-recognizer.zip"), content),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_takes_memory(kind, tmp_path, monkeypatch):
    """First 100 MB of one line, then as many bytes in lines as are too many."""
    header = f"label,{','.join(PIXELS)}\n".encode()
    BOMBS[kind](tmp_path / "x", header + b"0" * (100 << 20))
    tracemalloc.start()
    with pytest.raises(UserError, match="a line has more than 65,536 characters"):
        load(str(tmp_path))
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()

    BOMBS[kind](tmp_path / "x", header + (b"0," * 784 + b"0\n") * 100)
    monkeypatch.setattr(csv_files, "LARGEST_FILE", 100_000)
    with pytest.raises(UserError, match="is larger than the 100,000 bytes that are read"):
        load(str(tmp_path))


def strictly(text, columns):
    """What a table is, by the plainest reading; None if it is none."""
    header, *lines = text.removeprefix("\ufeff").splitlines()
    rows = [[field.strip().strip('"') for field in line.split(",")] for line in lines if line.strip()]
    if [name.strip().strip('"') for name in header.split(",")] != columns or not rows:
        return None
    if not all(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", field) for row in rows for field in row):
        return None
    numbers = [[Fraction(field) for field in row] for row in rows]
    return numbers if all(number.denominator == 1 for row in numbers for number in row) else None


def test_any_damage_is_read_right_or_told(tmp_path):
    """Bytes changed, cut out, put in and doubled, in all kinds of files: a UserError, or what the bytes plainly say."""
    generator = np.random.default_rng(0)
    columns = ["ImageId", "Label"]
    plain = b"ImageId,Label\n" + b"".join(b"%d,%d\n" % (i, i % 10) for i in range(1, 40))
    (tmp_path / "s").mkdir()
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sample_submission.csv", plain)
    wholes = {"": plain, ".gz": gzip.compress(plain), ".zip": (tmp_path / "z.zip").read_bytes()}
    interesting = b'\0\r\n",;..0 -+_eE\xef\xbb\xbf\xff\xfe09'
    refused = 0
    for _ in range(1500):
        suffix = list(wholes)[generator.integers(3)]
        content = bytearray(wholes[suffix])
        for _ in range(generator.integers(1, 4)):
            at, length = generator.integers(len(content)), generator.integers(1, 9)
            match generator.integers(4):
                case 0:
                    content[at] = interesting[generator.integers(len(interesting))]
                case 1:
                    del content[at : at + length]
                case 2:
                    content[at:at] = bytes([interesting[generator.integers(len(interesting))]])
                case 3:
                    content[at] ^= 1 << generator.integers(8)
        path = tmp_path / "s" / f"sample_submission.csv{suffix}"
        path.write_bytes(content)
        try:
            table = read_csv(tmp_path / "s", "sample_submission.csv", columns, required=True)
        except UserError:
            refused += 1
        else:
            expected = strictly(content.decode(), columns) if suffix == "" else strictly(plain.decode(), columns)
            assert table.tolist() == expected, bytes(content)
        path.unlink()
    assert 500 < refused < 1500
