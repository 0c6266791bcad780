"""Find the competition's files as people have them, plain or compressed, and open them as streams of bytes."""

import gzip
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from pipeline.config.errors import UserError
from pipeline.config.places import COMPETITION

LARGEST_FILE = 1 << 29  # bytes when unpacked; the competition's largest file has 77 MB
DEEPEST = 4  # archives within archives
GET_THE_DATA = (
    "Get it with `python -m pipeline download` (accept the rules at "
    f"https://www.kaggle.com/c/{COMPETITION}/rules first) or put {COMPETITION}.zip or its CSV files into data/."
)
ENCRYPTED = 0x1  # flag of a zip's entry
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
COPY_MARK = re.compile(r" ?\(\d+\)| - copy")  # of a second download
LONGEST_QUOTE = 40  # characters of a field or a name that a message shows
MOST_NAMES = 5  # that a message shows
AnyPath = TypeVar("AnyPath", bound=PurePath)


def find_archive(path: Path, name: str) -> Path | None:
    """What holds the file `name`, if anything does: a plain file, a gzipped or zipped one, or the competition's zip.

    The case of letters does not count, nor does the mark of a second download, such as " (1)".

    Args:
        path: A folder, or a file, which is then the answer. If a folder has none, the folders in it are searched:
            `unzip` and browsers like to make one.
        name: Such as "train.csv".

    Raises:
        UserError: two are equally good.
    """
    if not path.is_dir():
        return path if path.is_file() else None
    if found := _best_file(path, name):
        return found
    inner = [found for folder in _visible(path) if folder.is_dir() and (found := _best_file(folder, name))]
    if len(inner) > 1:
        raise _choose([found.parent for found in inner], name)
    return inner[0] if inner else None


def absent(path: Path, name: str) -> UserError:
    """The error that a file is not in a folder or an archive: with what is there instead, and what to do."""
    there = contents(path)
    unpack = "If it is packed in one of these, unpack that, and name the folder with --data. "
    return UserError(
        f"{path}: {name} (or {name}.gz, {name}.zip) is not in there; it {there}. "
        f"{unpack if there.startswith('has ') else ''}{GET_THE_DATA}"
    )


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


def _best_file(folder: Path, name: str) -> Path | None:
    best = _best([file for file in _visible(folder) if file.is_file()], name)
    if len(best) > 1:
        raise _choose(best, name)
    return best[0] if best else None


def _best(paths: Iterable[AnyPath], name: str) -> list[AnyPath]:
    """Those paths that are most likely to hold a file, by their names; several if they are equally good."""
    usual = (name, f"{name}.gz", f"{name}.zip", f"{COMPETITION}.zip")
    ranked = defaultdict(list)
    for path in paths:
        plain = COPY_MARK.sub("", path.name.lower())
        if plain in usual:
            ranked[usual.index(plain), len(path.parts), plain != path.name].append(path)
    return ranked[min(ranked)] if ranked else []


def _choose(places: Iterable[Path], name: str) -> UserError:
    return UserError(f"{', '.join(map(str, places))} all have {name}. Name one of them with --data.")


def _visible(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if not child.name.startswith((".", "__")))


def legible(name: str) -> str:
    """A name as a message shows it: quoted if it is no plain word."""
    return name if re.fullmatch(r"[\w./-]{1,40}", name, re.ASCII) else quoted(name)


def quoted(text: str) -> str:
    """A field or a name as a message shows it: quoted, and cut if it is long."""
    return repr(text) if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]!r}... ({len(text):,} characters)"


def open_file(opened: ExitStack, archive: Path, name: str) -> BinaryIO | None:
    """The file `name` out of what `find_archive` found, open as long as `opened` is.

    First bytes decide how it is read, not its suffix.

    Returns:
        A stream of bytes; None if a zip has no such file, nor an archive that has it.

    Raises:
        UserError: the zip is not one that can be trusted or read.
        Exception: whatever the decoders of damaged archives raise; `named_damage` turns it into a UserError.
    """
    return _unpacked(opened, opened.enter_context(archive.open("rb")), str(archive), name, DEEPEST)


def _unpacked(opened: ExitStack, stream: Any, where: str, name: str, deepest: int) -> BinaryIO | None:
    """The file `name` out of a stream, through all layers that it is packed in."""
    start = stream.peek(TAR_MAGIC_AT + len(TAR_MAGIC))
    if start[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
        raise UserError(f"{where} is a tar archive. Unpack it, and name the folder with --data.")
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
    files = [entry for entry in content.infolist() if not entry.is_dir()]
    paths = [PurePosixPath(entry.filename.replace("\\", "/")) for entry in files]
    # Nothing is extracted, so nothing could escape; but a zip that tries is not the competition's.
    if outside := [path for path in paths if path.is_absolute() or ".." in path.parts]:
        raise UserError(f"{where}: the entry {str(outside[0])!r} points outside of the zip. {GET_THE_DATA}")
    best = _best([path for path in paths if "__MACOSX" not in path.parts], name)
    if len(best) > 1:
        raise UserError(f"{where}: {name} is in there {len(best)} times. {GET_THE_DATA}")
    if not best:
        return None
    entry = files[paths.index(best[0])]
    if entry.flag_bits & ENCRYPTED:
        raise UserError(f"{where}: {entry.filename} is encrypted. Unpack the zip with its password. {GET_THE_DATA}")
    return entry


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
