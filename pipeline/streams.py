"""Output that never decides the outcome: whatever the terminal cannot show or take, the command goes on.

A terminal may lack characters (`±` on a Windows console), a pipe may be closed (`| head`), the disk behind a file full.
"""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

PLAIN = str.maketrans(
    {"±": "+/-", "×": "x", "·": "*", "β": "beta", "…": "...", "–": "-", "—": "-", "→": "->", "≥": ">=", "≤": "<="}
)


class TolerantStream:
    """A text stream that swallows what it cannot write, and remembers why."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        """Why what was written is not all there; None if it is."""

    def write(self, text: str) -> int:
        """Write a text, or discard it."""
        with self._discarding():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or discard what is left."""
        with self._discarding():
            self._stream.flush()

    @contextmanager
    def _discarding(self) -> Iterator[None]:
        """Once a write failed, all that follows goes nowhere; also the buffer, which Python flushes when it exits."""
        try:
            yield
        except OSError as error:
            self.failure = error
            with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def tolerant_output() -> Iterator[TolerantStream]:
    """Make stdout and stderr tolerant within the block; the value is stdout."""
    codecs.register_error("plain", _plainly)
    before = sys.stdout, sys.stderr
    stdout, stderr = (_tolerant(stream) for stream in before)
    sys.stdout, sys.stderr = stdout, stderr
    try:
        yield stdout
    finally:
        stdout.flush()
        stderr.flush()
        sys.stdout, sys.stderr = before


def _tolerant(stream: TextIO | None) -> TolerantStream:
    if stream is None:  # closed before the start, as by `>&-`
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    with suppress(AttributeError, ValueError):
        stream.reconfigure(errors="plain")  # type: ignore[attr-defined]
    return TolerantStream(stream)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Stand-ins for characters that the terminal's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return text.encode("ascii", "replace").decode(), error.end
