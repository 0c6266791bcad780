"""How requests are sent: with time-outs and bounds, and to the addresses that Kaggle hands out without credentials."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from pipeline.kaggle.refusals import TooLargeError, explained
from pipeline.kaggle.waiting import patiently

T = TypeVar("T")

TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two bytes
CHUNK = 1 << 16  # bytes as they arrive
LARGEST_ANSWER, LARGEST_FILE = 1 << 26, 1 << 28  # bytes, unpacked; a network of the widest has half of the latter


def transfer(what: str, send: Callable[[requests.Session], T], *, redirects: bool = True) -> T:
    """Use a plain session, without credentials, for an address that Kaggle hands out; errors as in `explained`."""

    @explained(what, {})
    def try_once() -> T:
        with requests.Session() as session:
            session.auth = _no_credentials
            mount(session, redirects=redirects)
            return send(session)

    return patiently(try_once)


def _no_credentials(request: Any) -> Any:
    """Sign nothing. Without it, requests would look for the host in ~/.netrc."""
    return request


def fetch_file(what: str, url: str, target: Path) -> int:
    """Download one file, whole or with an error as in `explained`; returns its bytes."""

    def fetch(session: requests.Session) -> int:
        with session.get(url, stream=True) as response:
            response.raise_for_status()
            return write_file(response, target)

    return transfer(what, fetch)


def write_file(response: Any, target: Path) -> int:
    """Write what a response carries to a file; returns its bytes."""
    with target.open("wb") as stream:
        return sum(stream.write(chunk) for chunk in response.iter_content(CHUNK))


def mount(session: requests.Session, *, redirects: bool) -> None:
    """Give a session time-outs and bounds."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    if not redirects:
        session.max_redirects = 0


class _Adapter(HTTPAdapter):
    """Gives every request a time-out, and every answer a bound: requests, and so the client, has neither."""

    def send(self, request: Any, stream: bool = False, timeout: Any = None, *args: Any, **options: Any) -> Any:
        response = super().send(request, stream, timeout or TIMEOUT, *args, **options)
        largest = LARGEST_FILE if stream else LARGEST_ANSWER
        response.iter_content = partial(_bounded, response.iter_content, largest)
        return response


def _bounded(
    read: Callable[..., Any], largest: int, chunk_size: int | None = 1, decode_unicode: bool = False
) -> Iterator[Any]:
    """A response's content, as `iter_content` gives it, but not without end: a short answer can unpack to gigabytes."""
    read_bytes = 0
    for chunk in read(min(chunk_size or CHUNK, CHUNK), decode_unicode):
        read_bytes += len(chunk)
        if read_bytes > largest:
            raise TooLargeError(f"{largest:,}")
        yield chunk
