"""The competition's files as people have them: whole, packed, and damaged in every way."""

import gzip
import io
import re
import shutil
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
from pipeline.data.digits import PIXELS, load


def at(line, change):
    """A change of one line of a text."""

    def changed(text):
        lines = text.splitlines()
        lines[line - 1] = change(lines[line - 1])
        return "\n".join(lines) + "\n"

    return changed


def with_field(column, text):
    return lambda line: ",".join(text if i == column else field for i, field in enumerate(line.split(",")))


def rewrite(path, change):
    changed = change(path.read_text())
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())


def zipped(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def refusal(where):
    with pytest.raises(UserError) as caught:
        load(str(where))
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 700
    return text


FIELD = re.compile(r"(?<=[,\n])([0-9]+)(?=[,\n])")
FORMS = {
    "as it is": lambda text: text,
    "byte order mark and Windows line ends": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
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
        rewrite(path, FORMS[name])
    loaded = load(str(csv_folder))
    assert loaded.digest() == digits.digest()  # types and shapes count
    assert loaded.held_back_labels is None


def test_lines_are_counted_over_blocks(csv_folder, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK", 40_000)
    rewrite(csv_folder / "train.csv", at(90, with_field(4, "x")))
    assert re.search(r"train.csv, line 90, column pixel3: .* received 'x'", refusal(csv_folder))


PACKS = {
    "gzipped": lambda files: {f"{name}.gz": gzip.compress(data) for name, data in files.items()},
    "each zipped": lambda files: {f"{name}.zip": zipped({name: data}) for name, data in files.items()},
    "zips that are named .csv": lambda files: {name: zipped({name: data}) for name, data in files.items()},
    "a CSV counts more than a zip": lambda files: files | {"digit-recognizer.zip": zipped({"train.csv": b""})},
    "a folder in the zip, and what macOS adds": lambda files: {
        "digit-recognizer.zip": zipped(
            {f"{folder}digits/{name}": data for folder in ("", "__MACOSX/") for name, data in files.items()}
        )
    },
    "a folder for each, as Windows unpacks them": lambda files: {
        f"{name}/{name}": data for name, data in files.items()
    },
    "a folder, and some that do not count": lambda files: {
        f"{folder}/{name}": data
        for folder in ("digit-recognizer", "__MACOSX", ".download")
        for name, data in files.items()
    },
    "a second download": lambda files: {"digit-recognizer (1).zip": zipped(files)},
    "capitals": lambda files: {name.title(): data for name, data in files.items()},
    "gzipped in a folder in a zip in a zip": lambda files: {
        "digit-recognizer.zip": zipped(
            {"digit-recognizer.zip": zipped({f"all/{n}.gz": gzip.compress(data) for n, data in files.items()})}
        )
    },
}


@pytest.mark.parametrize("name", PACKS)
def test_files_are_found_where_people_have_them(name, csv_source, digits, tmp_path):
    for place, data in PACKS[name]({path.name: path.read_bytes() for path in csv_source.iterdir()}).items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(data)
    assert load(str(tmp_path)).digest() == digits.digest()


def test_a_zip_of_any_name_can_be_named(csv_source, digits, tmp_path):
    (tmp_path / "any name.zip").write_bytes(zipped({path.name: path.read_bytes() for path in csv_source.iterdir()}))
    assert load(str(tmp_path / "any name.zip")).digest() == digits.digest()
    assert "it has 'any name.zip'. If it is packed in one of these, unpack that" in refusal(tmp_path)


def test_two_folders_with_the_data(csv_source, tmp_path):
    for name in ("old", "new"):
        shutil.copytree(csv_source, tmp_path / name)
    (tmp_path / "new/train.csv").rename(tmp_path / "new/train.csv.gz")
    assert re.search("/new, .*/old all have train.csv. Name one of them with --data", refusal(tmp_path))


def lay_tar(folder):
    with tarfile.open(folder / "data.tar.gz", "w:gz") as archive:
        archive.add(folder / "train.csv", "train.csv")
    (folder / "train.csv").unlink()
    return folder / "data.tar.gz"


def lay_two_copies(folder):
    for number in (1, 2):
        (folder / f"train ({number}).csv").write_text("")
    (folder / "train.csv").unlink()


def lay_link(folder):
    (folder / "train.csv").unlink()
    (folder / "train.csv").symlink_to("/gone/train.csv")


def lay_link_in_place_of_the_folder(folder):
    folder.with_name("link").symlink_to("gone")
    return folder.with_name("link")


def lay_zip_in_a_zip(folder):
    (folder / "b.zip").write_bytes(zipped({"more.zip": zipped({"x": ""})}))
    return folder / "b.zip"


def lay_foreign_name(folder):
    (folder / "train.csv").rename(folder / "tr\udce4in\x1b[31m.csv")


THERE = [
    (lay_two_copies, r"train \(1\).csv, .*train \(2\).csv all have train.csv. Name one"),
    (lay_link, r"train.csv \(is a link to /gone/train.csv, which is not there\)"),
    (lay_link_in_place_of_the_folder, "no data at .*link: it is a link to gone, which is not there"),
    (lay_zip_in_a_zip, r"b.zip: train.csv .*; it has more.zip. If it is packed in one of these, unpack that"),
    (lay_tar, "data.tar is a tar archive. Unpack it, and name"),
    (lambda folder: Path("/dev/null"), "/dev/null: train.csv .*; it is neither a file nor a folder"),
    (lambda folder: folder / "train.csv", "train.csv is one file. Name the folder"),
    (lambda folder: (folder / "test.csv").unlink(), "it has sample_submission.csv, train.csv. If it is packed"),
    (lambda folder: (folder / "empty").mkdir() or folder / "empty", "it is empty. Get it with"),
    (lay_foreign_name, r"it has .*'tr\\udce4in\\x1b\[31m.csv'"),
]


@pytest.mark.parametrize(("lay", "message"), THERE)
def test_what_lies_there_instead_is_named(lay, message, csv_folder):
    assert re.search(message, refusal(lay(csv_folder) or csv_folder))


NO_PIXELS = [
    *("-1", "256", "256.0", "1.5", "0.99999999999999999999", "1e-400", "1e400", "1.0.0", "1_0", "x", "NaN", "", " "),
    *('1"2"', '1"', "9" * 19, "1" * 6000, "1\0", "\u0661"),
]


@pytest.mark.parametrize("text", NO_PIXELS, ids=lambda text: repr(text[:20]))
def test_a_field_that_is_no_pixel_is_named(text, csv_folder):
    path = csv_folder / "test.csv"
    rewrite(path, at(9, with_field(5, text)))
    shown = repr(text) if len(text) <= 40 else f"{text[:40]!r}... (6,000 characters)"
    assert refusal(csv_folder) == f"{path}, line 9, column pixel5: expected an integer in 0..255, received {shown}"


FAULTS = [
    # rows
    ("train", at(3, with_field(0, "10")), r"train.csv, line 3: a label .* 10"),
    ("train", at(101, lambda s: s[: len(s) // 2].rstrip(",")), r"line 101: expected 785 fields, received"),
    ("train", at(4, lambda s: s + ",0"), r"line 4: expected 785 fields, received 786"),
    ("test", lambda s: s.replace("\n", ",0\n").replace(",0\n", "\n", 1), r"line 2: expected 784 fields, received 785"),
    ("test", lambda s: s.partition("\n")[0], r"no rows below"),
    ("test", lambda s: s.strip().rpartition("\n")[0], r"test.csv has 29 rows but sample_submission.csv has 30"),
    ("sample_submission", at(3, lambda _: "1,0"), r"n.csv, line 3: expected ImageId 2.*Received: 1"),
    ("train", lambda s: re.sub(r"\n[37],.*", "", s), r"train.csv has no image of the digit 3, 7"),
    ("test", lambda s: s + "0" * 70_000, r"a line has more than 65,536 characters"),
    # the header
    ("train", at(1, lambda s: s.replace(",pixel5,", ",")), r"line 1: .* pixel6 as column 7, where pixel5 is expected"),
    ("train", at(1, lambda s: s + ",label"), r"label as column 786, where nothing is expected"),
    ("train", at(1, lambda s: s.rpartition(",")[0]), r"nothing as column 785, where pixel783 is expected"),
    ("train", lambda s: "", r"line 1.*'' as column 1, where label is expected"),
    ("test", at(1, lambda s: "," + s), r"line 1: .*as pandas writes its index. Save with index=False"),
    ("test", at(1, lambda s: '"' + s), r"line 1: .*'\"pixel0' as column 1"),
    ("test", at(1, lambda s: s + "," + "x" * 5000), r"Received: 'x{40}'\.\.\. \(5,000 characters\) as column 785"),
    ("test", at(1, lambda s: s + ",\x1b[31m"), r"Received: '\\x1b\[31m' as column 785"),
    ("test", lambda s: s.replace(",", ";"), r"Received: columns separated by ';'"),
    ("test", lambda s: "<!DOCTYPE html>\n<html>Sign in</html>\n", r"'<!DOCTYPE html>' as column 1"),
    # the bytes
    ("test", lambda s: s.encode("utf-16"), r"test.csv: the text is UTF-16, as Windows writes it. Save it as UTF-8"),
    ("test", lambda s: s.encode("utf-16-le"), r"test.csv: the text is UTF-16"),
    ("test", lambda s: s.encode().replace(b"pixel3,", b"pix\xe9l3,"), r"test.csv: damaged, or not UTF-8 text"),
    ("test", lambda s: bytes(range(128, 256)), r"test.csv: damaged"),
]


@pytest.mark.parametrize(("name", "change", "message"), FAULTS)
def test_each_fault_is_named(name, change, message, csv_folder):
    rewrite(csv_folder / f"{name}.csv", change)
    assert re.search(message, refusal(csv_folder))


def patched(content, offset, value):
    """Write a 16-bit number into the records of a zip's first entry."""
    content = bytearray(content)
    for magic, at in ((b"PK\x03\x04", offset), (b"PK\x01\x02", offset + 2)):
        start = content.index(magic) + at
        content[start : start + 2] = value.to_bytes(2, "little")
    return bytes(content)


TRAIN = "label," + ",".join(PIXELS) + "\n" + "1," * 784 + "1\n"
SOUND, SOUND_GZ = zipped({"train.csv": TRAIN}), gzip.compress(TRAIN.encode())
ARCHIVES = [
    ("a.zip", SOUND[: len(SOUND) // 2], "damaged or cut short"),
    ("a.zip", SOUND[:500] + bytes(200) + SOUND[700:], "damaged or cut short"),
    ("a.zip", b"label", r"damaged or cut short \(File is not a zip file"),
    ("train.csv.gz", SOUND_GZ[: len(SOUND_GZ) // 2], "train.csv: damaged or cut short"),
    ("train.csv.gz", b"label", r"train.csv: damaged or cut short \(Not a gzipped file"),
    ("a.zip", zipped({"train.csv": "x", "../train.csv": ""}), "the entry '../train.csv' points outside of the zip"),
    ("a.zip", zipped({"train.csv": "x", "/etc/x": ""}), "points outside of the zip"),
    ("a.zip", zipped({"train.csv": "x", "..\\b": ""}), "points outside of the zip"),
    ("a.zip", zipped({"old/train.csv": "x", "new/train.csv": "x"}), "train.csv is in there 2 times"),
    ("a.zip", patched(SOUND, 6, 1), "train.csv is encrypted. Unpack"),
    ("a.zip", patched(SOUND, 8, 93), "train.csv: damaged|method is not supported"),  # Zstandard
    ("a.zip", patched(SOUND, 8, 14), "train.csv: damaged"),  # LZMA that is none
]


@pytest.mark.parametrize(("name", "content", "message"), ARCHIVES)
def test_archives_that_cannot_be_read_or_trusted(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert re.search(message, refusal(tmp_path / name if name == "a.zip" else tmp_path))


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("train.csv.gz", lambda text: gzip.compress(text, 1)),
        ("train.csv.zip", lambda text: zipped({"train.csv": text})),
    ],
)
def test_a_bomb_is_refused_before_it_takes_memory(name, pack, tmp_path, monkeypatch):
    """First 100 MB of one line, then as many bytes in lines as are too many."""
    header = f"label,{','.join(PIXELS)}\n".encode()
    (tmp_path / name).write_bytes(pack(header + b"0" * (100 << 20)))
    tracemalloc.start()
    assert "a line has more than 65,536 characters" in refusal(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()

    (tmp_path / name).write_bytes(pack(header + (b"0," * 784 + b"0\n") * 100))
    monkeypatch.setattr(csv_files, "LARGEST_FILE", 100_000)
    assert "is larger than the 100,000 bytes that are read" in refusal(tmp_path)


COLUMNS = ["ImageId", "Label"]


def strictly(text):
    """What a table is, by the plainest reading; None if it is none."""
    header, *lines = text.removeprefix("\ufeff").splitlines()
    rows = [[field.strip().strip('"') for field in line.split(",")] for line in lines if line.strip()]
    if [name.strip().strip('"') for name in header.split(",")] != COLUMNS or not rows:
        return None
    if not all(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", field) for row in rows for field in row):
        return None
    numbers = [[Fraction(field) for field in row] for row in rows]
    return numbers if all(number.denominator == 1 for row in numbers for number in row) else None


def damaged(content, generator):
    """Bytes changed, cut out, put in and flipped, at one to three places."""
    content, interesting = bytearray(content), b'\0\r\n",;..0 -+_eE\xef\xbb\xbf\xff\xfe09'
    for _ in range(generator.integers(1, 4)):
        at, length = generator.integers(len(content)), generator.integers(1, 9)
        byte = interesting[generator.integers(len(interesting))]
        match generator.integers(4):
            case 0:
                content[at] = byte
            case 1:
                del content[at : at + length]
            case 2:
                content[at:at] = bytes([byte])
            case 3:
                content[at] ^= 1 << generator.integers(8)
    return bytes(content)


def test_any_damage_is_read_right_or_told(tmp_path):
    """In all kinds of files: a UserError, or what the bytes plainly say."""
    generator = np.random.default_rng(0)
    plain = b"ImageId,Label\n" + b"".join(b"%d,%d\n" % (i, i % 10) for i in range(1, 40))
    wholes = {"": plain, ".gz": gzip.compress(plain), ".zip": zipped({"sample_submission.csv": plain})}
    refused = 0
    for number in range(1500):
        suffix = list(wholes)[number % 3]
        content = damaged(wholes[suffix], generator)
        path = tmp_path / f"sample_submission.csv{suffix}"
        path.write_bytes(content)
        try:
            table = read_csv(tmp_path, "sample_submission.csv", COLUMNS, np.int64)
        except UserError:
            refused += 1
        else:
            expected = strictly(plain.decode() if suffix else content.decode())
            assert table.tolist() == expected, content
        path.unlink()
    assert 500 < refused < 1500
