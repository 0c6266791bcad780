"""Find the competition's files as people have them, plain or compressed, and open them as streams of bytes."""

import gzip
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pipeline.config.errors import UserError
from pipeline.config.places import COMPETITION

LARGEST_FILE = 1 << 29  # bytes when unpacked; the competition's largest file has 77 MB
DEEPEST = 4  # archives within archives
GET_THE_DATA = (
    "Get it with `python -m pipeline download` (accept the rules at "
    f"https://www.kaggle.com/c/{COMPETITION}/rules first) or put {COMPETITION}.zip or its CSV files into data/."
)
UNPACK = "Unpack it, and name the folder with --data."
ENCRYPTED = 0x1  # flag of a zip's entry
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
COPY_MARK = re.compile(r" ?\(\d+\)| - copy")  # of a second download
PACKED = re.compile(r"[^ ,']+(?: \(\d+\))?\.(?:zip|gz|tgz|tar|bz2|xz|zst|7z|rar)\b", re.IGNORECASE)
LONGEST_QUOTE = 40  # characters of a field or a name that a message shows
MOST_NAMES = 5  # that a message shows


def find_archives(path: Path, name: str) -> list[Path]:
    """All that may hold the file `name`, best first: a plain file, a gzipped or zipped one, the competition's zip.

    The case of letters does not count, nor does the mark of a second download, such as " (1)". A folder without any of
    these may have one zip of another name that holds the file.

    Args:
        path: A folder, or a file, which is then the only candidate. If a folder has none, the folders in it are
            searched: `unzip` and browsers like to make one.
        name: Such as "train.csv".

    Raises:
        UserError: two are equally good.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        return []
    if found := _candidates(path, name):
        return found
    inner = [found for folder in _visible(path) if folder.is_dir() and (found := _candidates(folder, name))]
    if len(inner) > 1:
        raise _choose([found[0].parent for found in inner], name)
    return inner[0] if inner else []


def absent(path: Path, name: str) -> UserError:
    """The error that a file is not in a folder or an archive: with what is there instead, and what to do."""
    there = contents(path)
    packed = PACKED.search(there)
    remedy = f"If it is in {packed[0]}: unpack that, and name the folder with --data." if packed else GET_THE_DATA
    return UserError(f"{path}: {name} (or {name}.gz, {name}.zip) is not in there; it {there}. {remedy}")


def contents(path: Path) -> str:
    """What there is at a place, as a message says it after "it"."""
    if path.is_symlink() and not path.exists():
        return f"is a link to {legible(str(path.readlink()))}, which is not there"
    if not path.exists():
        return "is not there"
    if path.is_dir():
        names = [legible(child.name) + ("" if child.exists() else f" ({contents(child)})") for child in _visible(path)]
    elif not path.is_file():
        return "is neither a file nor a folder"
    else:
        with named_damage(str(path)), zipfile.ZipFile(path) as archive:
            names = [legible(entry) for entry in archive.namelist()]
    return f"has {', '.join(names[:MOST_NAMES])}{', ...' if len(names) > MOST_NAMES else ''}" if names else "is empty"


def _candidates(folder: Path, name: str) -> list[Path]:
    usual = _usual_names(name)
    files = [file for file in _visible(folder) if file.is_file()]
    ranked: dict[tuple[int, bool], list[Path]] = {}
    for file in files:
        if (plain := _plain(file.name)) in usual:
            ranked.setdefault((usual.index(plain), file.name != plain), []).append(file)
    groups = [ranked[rank] for rank in sorted(ranked)] or [[file for file in files if _is_zip_with(file, name)]]
    if len(groups[0]) > 1:
        raise _choose(groups[0], name)
    return [file for group in groups for file in group]


def _usual_names(name: str) -> tuple[str, ...]:
    return name, f"{name}.gz", f"{name}.zip", f"{COMPETITION}.zip"


def _choose(places: list[Path], name: str) -> UserError:
    return UserError(f"{', '.join(map(str, places))} all have {name}. Name one of them with --data.")


def _visible(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if not child.name.startswith((".", "__")))


def _plain(name: str) -> str:
    """A file's name without what a second download adds, in small letters."""
    return COPY_MARK.sub("", name.lower())


def _is_zip_with(file: Path, name: str) -> bool:
    if not file.name.lower().endswith(".zip"):
        return False
    try:
        with open_file(file, name) as stream:
            return stream is not None
    except Exception:  # whatever it is, it is not what the folder was named for
        return False


def legible(name: str) -> str:
    """A name as a message shows it: quoted if it is no plain word."""
    return name if re.fullmatch(r"[\w./-]{1,40}", name, re.ASCII) else quoted(name)


def quoted(text: str) -> str:
    """A field or a name as a message shows it: quoted, and cut if it is long."""
    return repr(text) if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]!r}... ({len(text):,} characters)"


@contextmanager
def open_file(archive: Path, name: str) -> Iterator[BinaryIO | None]:
    """The file `name` out of what `find_archives` found; first bytes decide how it is read, not its suffix.

    Returns:
        A stream of bytes; None if a zip has no such file, nor an archive that has it.

    Raises:
        UserError: the zip is not one that can be trusted or read.
        Exception: whatever the decoders of damaged archives raise; `named_damage` turns it into a UserError.
    """
    with ExitStack() as opened:
        yield _unpacked(opened, opened.enter_context(archive.open("rb")), str(archive), name, DEEPEST)


def _unpacked(opened: ExitStack, stream: Any, where: str, name: str, deepest: int) -> BinaryIO | None:
    """The file `name` out of a stream, through all layers that it is packed in."""
    start = stream.peek(TAR_MAGIC_AT + len(TAR_MAGIC))
    if start[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
        raise UserError(f"{where} is a tar archive. {UNPACK}")
    if start.startswith(ZIP_MAGIC) or where.endswith(".zip"):
        content = opened.enter_context(zipfile.ZipFile(stream))
        entry = _entry(content, where, name)
        if entry is None or not deepest:
            return None
        inner = opened.enter_context(content.open(entry))
        return _unpacked(opened, inner, f"{where}: {entry.filename}", name, deepest - 1)
    if start.startswith(GZIP_MAGIC) or where.endswith(".gz"):
        unzipped = opened.enter_context(gzip.GzipFile(fileobj=stream))
        return _unpacked(opened, unzipped, where.removesuffix(".gz"), name, deepest - 1) if deepest else None
    return stream


def _entry(content: zipfile.ZipFile, where: str, name: str) -> zipfile.ZipInfo | None:
    """The entry of a zip that is or may hold a file, at its root or in a folder; None if there is none."""
    usual = _usual_names(name)
    found: dict[tuple[int, int], list[zipfile.ZipInfo]] = {}
    for entry in content.infolist():
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        # Nothing is extracted, so nothing could escape; but a zip that tries is not the competition's.
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{where}: the entry {entry.filename!r} points outside of the zip. {GET_THE_DATA}")
        plain = _plain(path.name)
        if plain in usual and not entry.is_dir() and not path.parts[0].startswith("__MACOSX"):
            found.setdefault((usual.index(plain), len(path.parts)), []).append(entry)
    if not found:
        return None
    best = found[min(found)]
    if len(best) > 1:
        raise UserError(f"{where}: {name} is in there {len(best)} times. {GET_THE_DATA}")
    _check_entry(best[0], f"{where}: {best[0].filename}")
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
