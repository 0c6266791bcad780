"""Records read with suspicion: whatever is wrong with a file becomes one error with its reason, in bounded memory.

All readers of a file raise FileNotFoundError where there is none, and DamagedError where it cannot be read, is larger
than any record, or is not what was written.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.config.errors import UserError

Record = TypeVar("Record")
SEAL = "sha256_of_the_rest"
LARGEST_JSON, LARGEST_ARRAYS = 16_000_000, 512_000_000  # bytes, unpacked; far above what is ever written


class DamagedError(Exception):
    """A record that is not what was written; the message names the file and the reason."""


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn whatever reading a file in the block raises into a DamagedError, but for a file that is not there.

    What a flipped bit makes readers raise is a list without end: TokenError, SyntaxError, RecursionError, MemoryError,
    zlib.error, BadZipFile, RuntimeError ("File is encrypted") ...
    """
    try:
        yield
    except (FileNotFoundError, DamagedError, UserError):
        raise
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror or error})") from None
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise DamagedError(f"{path} is damaged ({reason})") from None


def read_json(path: Path) -> Any:
    """What a JSON file holds."""
    with damage_named(path):
        return json.loads(read_bytes(path, LARGEST_JSON))


def read_record(path: Path, kind: type[Record]) -> Record:
    """A dataclass from its JSON."""
    from pydantic import TypeAdapter, ValidationError  # 0.1 s, which --help does not need

    with damage_named(path):
        try:
            return TypeAdapter(kind).validate_json(read_bytes(path, LARGEST_JSON), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(": ".join([*map(str, first["loc"]), first["msg"]])) from None


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a record holds, with a hash of it that `read_sealed` checks."""
    return {**content, SEAL: _seal(content)}


def read_sealed(path: Path) -> dict[str, Any]:
    """What `sealed` returned, from its JSON."""
    with damage_named(path):
        content: dict[str, Any] = read_json(path)
        if content.pop(SEAL, None) != _seal(content):
            raise ValueError("it is not what was written: its own hash differs")
        return content


def read_bytes(path: Path, largest: int = LARGEST_ARRAYS) -> bytes:
    """The content of a file."""
    with damage_named(path):
        with path.open("rb") as stream:
            content = stream.read(largest + 1)
        if len(content) > largest:
            raise ValueError(f"it has more than {largest:,} bytes")
        return content


def read_arrays(path: Path, largest: int = LARGEST_ARRAYS) -> dict[str, NDArray[Any]]:
    """The arrays in an .npz file, by name; never a pickle. The CRC of each is checked."""
    with damage_named(path), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > largest:
            raise ValueError(f"it would unpack to more than {largest:,} bytes")
        return {entry.filename.removesuffix(".npy"): array_in(archive.read(entry)) for entry in entries}


def array_in(content: bytes) -> NDArray[Any]:
    """The array that the content of an .npy file holds; never a pickle. Raises whatever NumPy raises."""
    stream = io.BytesIO(content)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    if stream.read(1):
        raise ValueError("there is more in it than its array")
    return array


def moment(text: str) -> datetime:
    """The time that an ISO 8601 text names; UTC where it names no zone, and now where it lies in the future.

    Raises:
        ValueError: it names no time.
    """
    time = datetime.fromisoformat(text)
    return min(time if time.tzinfo else time.replace(tzinfo=UTC), datetime.now(UTC))


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
