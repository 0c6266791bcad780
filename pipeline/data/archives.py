"""Find the competition's files as people have them, plain or compressed, and open them as streams of bytes."""

import gzip
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from pipeline.config.errors import UserError
from pipeline.config.places import COMPETITION

LARGEST_FILE = 1 << 29  # bytes when unpacked; the competition's largest file has 77 MB
GET_THE_DATA = (
    "Get it with `python -m pipeline download` (accept the rules at "
    f"https://www.kaggle.com/c/{COMPETITION}/rules first) or put {COMPETITION}.zip or its CSV files into data/."
)
ENCRYPTED = 0x1  # flag of a zip's entry
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"


def find_archives(path: Path, name: str) -> list[Path]:
    """All that may hold the file `name`, best first: a plain file, a gzipped or zipped one, the competition's zip.

    Args:
        path: A folder, or a file, which is then the only candidate. If a folder has none, the folders in it are
            searched: `unzip` and browsers like to make one.
        name: Such as "train.csv".

    Raises:
        UserError: more than one of the folders in it has the file.
    """
    if path.is_file():
        return [path]
    if found := _candidates(path, name):
        return found
    inner = [folder for folder in _visible_folders(path) if _candidates(folder, name)]
    if len(inner) > 1:
        raise UserError(f"{path}: {', '.join(map(str, inner))} all have {name}. Name one of them with --data.")
    return _candidates(inner[0], name) if inner else []


def find_archive(path: Path, name: str) -> Path | None:
    """The best of `find_archives`; None if nothing is there."""
    return next(iter(find_archives(path, name)), None)


def _candidates(folder: Path, name: str) -> list[Path]:
    names = (name, f"{name}.gz", f"{name}.zip", f"{COMPETITION}.zip")
    return [folder / candidate for candidate in names if (folder / candidate).is_file()]


def _visible_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith((".", "__")))


@contextmanager
def open_file(archive: Path, name: str) -> Iterator[BinaryIO | None]:
    """The file `name` out of what `find_archive` found; its first bytes decide how it is read, not its suffix.

    Returns:
        A stream of bytes; None if a zip has no such file.

    Raises:
        UserError: the zip is not one that can be trusted or read.
        Exception: whatever the decoders of damaged archives raise; `named_damage` turns it into a UserError.
    """
    with archive.open("rb") as plain:
        magic = plain.peek(4)[:4]
        if magic == ZIP_MAGIC or archive.suffix == ".zip":
            with zipfile.ZipFile(plain) as content:
                entry = _entry(content, archive, name)
                if entry is None:
                    yield None
                else:
                    with content.open(entry) as stream:
                        yield cast(BinaryIO, stream)
        elif magic.startswith(GZIP_MAGIC) or archive.suffix == ".gz":
            with gzip.open(plain) as stream:
                yield cast(BinaryIO, stream)
        else:
            yield plain


def _entry(content: zipfile.ZipFile, archive: Path, name: str) -> zipfile.ZipInfo | None:
    """The entry of a zip that holds a file, at its root or in a folder; None if there is none."""
    found = []
    for entry in content.infolist():
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        # Nothing is extracted, so nothing could escape; but a zip that tries is not the competition's.
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{archive}: the entry {entry.filename!r} points outside of the zip. {GET_THE_DATA}")
        if path.name == name and not entry.is_dir() and not path.parts[0].startswith("__MACOSX"):
            found.append((len(path.parts), entry))
    if not found:
        return None
    depth = min(depth for depth, _ in found)
    best = [entry for entry_depth, entry in found if entry_depth == depth]
    if len(best) > 1:
        raise UserError(f"{archive}: {name} is in there {len(best)} times. {GET_THE_DATA}")
    _check_entry(best[0], f"{archive}: {best[0].filename}")
    return best[0]


def _check_entry(entry: zipfile.ZipInfo, where: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise UserError(f"{where} is a link or a device, not a file. {GET_THE_DATA}")
    if entry.flag_bits & ENCRYPTED:
        raise UserError(f"{where} is encrypted. Unpack the zip with its password, and name the folder with --data.")
    if entry.file_size > LARGEST_FILE:
        raise UserError(f"{where} would unpack to {entry.file_size:,} bytes; at most {LARGEST_FILE:,} are read.")


@contextmanager
def named_damage(where: str) -> Iterator[None]:
    """Turn whatever goes wrong in the block into a UserError that names the file.

    zipfile, gzip and the decoders below them raise a dozen kinds of exceptions on damaged bytes, and not only those
    that they document. So the block must do nothing but open and read.
    """
    try:
        yield
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: damaged, or not UTF-8 text ({error.reason}). {GET_THE_DATA}") from None
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{where}: cannot be read ({error.strerror}).") from None
        reason = str(error)[:200] or type(error).__name__
        raise UserError(f"{where}: damaged or cut short ({reason}). {GET_THE_DATA}") from None
