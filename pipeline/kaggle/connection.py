"""How requests are sent: with time-outs, and where they may happen twice, with retries that say that they wait."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError
from urllib3.exceptions import SSLError as TLSError
from urllib3.util.retry import Retry

from pipeline.kaggle.refusals import TooLargeError, explained

T = TypeVar("T")

TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two bytes
RETRIES = 5  # after the first try: at once, then after 1, 2, 4 and 8 s
BACKOFF = 0.5
LONGEST_WAIT = 300  # seconds; if Kaggle asks for more, the user decides
BUSY = (429, 500, 502, 503, 504)
CHUNK = 1 << 16  # bytes as they arrive
LARGEST_ANSWER, LARGEST_FILE = 1 << 26, 1 << 28  # bytes, unpacked; a network of the widest has half of the latter


def transfer(what: str, send: Callable[[requests.Session], T], *, redirects: bool = True) -> T:
    """Use a plain session, without credentials, for the addresses that Kaggle hands out; errors as in `explained`."""
    with explained(what, {}), requests.Session() as session:
        session.auth = _no_credentials
        mount(session, patient=True, redirects=redirects)
        return send(session)


def _no_credentials(request: Any) -> Any:
    """Sign nothing. Without it, requests would look for the host in ~/.netrc."""
    return request


def fetch_file(session: requests.Session, url: str, target: Path) -> int:
    """Download one file, whole or with an exception of requests; returns its bytes."""
    with session.get(url, stream=True) as response:
        response.raise_for_status()
        return write_file(response, target)


def write_file(response: Any, target: Path) -> int:
    """Write what a response carries to a file; returns its bytes."""
    with target.open("wb") as stream:
        return sum(stream.write(chunk) for chunk in response.iter_content(CHUNK))


def mount(session: requests.Session, *, patient: bool, redirects: bool) -> None:
    """Give a session time-outs, bounds and, if it is patient, retries."""
    retries: Any = 0
    if patient:
        retries = _Patience(
            RETRIES, backoff_factor=BACKOFF, status_forcelist=BUSY, allowed_methods=None, raise_on_status=False
        )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(max_retries=retries))
    if not redirects:
        session.max_redirects = 0


class _Patience(Retry):
    """Retries that say that they wait, and that give up when the wait would be long or in vain."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        too_long = response is not None and (self.get_retry_after(response) or 0) > LONGEST_WAIT
        if too_long or isinstance(error, TLSError):  # no certificate becomes valid by asking again
            raise MaxRetryError(_pool, url or "", error)
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def sleep(self, response: Any = None) -> None:
        asked = self.get_retry_after(response) if response is not None else None
        if seconds := asked or self.get_backoff_time():
            reason = f"is busy ({response.status})" if response is not None else "gives no answer"
            print(f"Kaggle {reason}; next try in {seconds:.0f} s", file=sys.stderr, flush=True)
        super().sleep(response)


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
            raise TooLargeError(largest)
        yield chunk
