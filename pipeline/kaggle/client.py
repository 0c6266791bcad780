"""The connection to Kaggle: credentials, time-outs, retries, and errors that say what to do.

The client library is imported when it is first needed: its import logs in, and without credentials prints a page.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import Retry

from pipeline.config.errors import RunError, UserError

T = TypeVar("T")

TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two bytes
RETRIES = 5  # after the first try: at once, then after 1, 2, 4 and 8 s
BACKOFF = 0.5
LONGEST_WAIT = 300  # seconds; if Kaggle asks for more, the user decides
BUSY = (429, 500, 502, 503, 504)
CHUNK = 1 << 20  # bytes

CREDENTIALS = (
    "Make an API token at https://www.kaggle.com/settings/api and save it as ~/.kaggle/access_token (or set "
    "KAGGLE_API_TOKEN), or run `kaggle auth login`."
)


class NoAnswerError(RunError):
    """Whether a request arrived cannot be told: no answer, a broken one, or a fault of the server."""


class Kaggle:
    """The user's account at Kaggle.

    Raises:
        UserError: there are no credentials, or they are not accepted.
        RunError: Kaggle cannot be reached.
    """

    def __init__(self) -> None:
        with _explained("logging in", {}):
            self._api = _log_in()
        self.user: str = self._api.config_values["username"]

    def ask(
        self, what: str, call: Callable[[Any], T], remedies: Mapping[int, str] | None = None, *, repeat: bool = True
    ) -> T:
        """Make a call, and explain it when it fails.

        Args:
            what: Names the call in errors.
            call: Given the client library's `KaggleClient`, makes the call and returns its result.
            remedies: What to do, by HTTP status.
            repeat: Whether to try again when Kaggle is busy or gives no answer. Only for what may happen twice.

        Raises:
            UserError: Kaggle refused, and the user can mend it.
            RunError: Kaggle failed or refused.
        """
        self._api.patient = repeat
        with _explained(what, remedies or {}), self._api.build_kaggle_client() as client:
            return call(client)

    def save_kernel(self, folder: Path) -> Any:
        """Push the kernel that a folder's metadata names, once; the client's response."""
        self._api.patient = False
        with _explained("pushing the kernel", {403: "Is kernel-metadata.json's id one of yours?"}):
            return self._api.kernels_push(str(folder))

    def log_events(self, kernel: str) -> Iterator[str]:
        """What a kernel prints, as it prints it, from its beginning; ends with the kernel or the connection."""
        self._api.patient = False
        with _explained("following the log", {}):
            for event in self._api.kernels_logs_stream(kernel):
                yield str(event.get("data", ""))

    def download_competition(self, competition: str, folder: Path, remedies: Mapping[int, str]) -> None:
        """Download a competition's zip into a folder, or the rest of it if a part is there."""
        self._api.patient = True
        with _explained("downloading the data", remedies):
            self._api.competition_download_files(competition, str(folder), quiet=not sys.stderr.isatty())


def transfer(what: str, send: Callable[[requests.Session], T]) -> T:
    """Use a plain session, without credentials, for the addresses that Kaggle hands out; errors as in `Kaggle.ask`."""
    with _explained(what, {}), requests.Session() as session:
        _mount(session, patient=True)
        return send(session)


def fetch_file(session: requests.Session, url: str, target: Path) -> None:
    """Download one file, whole or with an exception of requests."""
    with session.get(url, stream=True) as response:
        response.raise_for_status()
        with target.open("wb") as stream:
            for chunk in response.iter_content(CHUNK):
                stream.write(chunk)


def _log_in() -> Any:
    """The client, logged in."""
    with redirect_stdout(io.StringIO()):
        from kaggle.api.kaggle_api_extended import KaggleApi

        class PatientApi(KaggleApi):
            """The client, with time-outs and, for calls that may happen twice, retries."""

            patient = True
            # "--verbose", which VERBOSE=1 sets, would print the credentials.
            args = [argument for argument in KaggleApi.args if argument != "--verbose"]  # noqa: RUF012

            def build_kaggle_client(self) -> Any:
                client = super().build_kaggle_client()
                http = client.http_client()
                http._init_session()
                _mount(http._session, patient=self.patient)
                return client

        api = PatientApi()
        try:
            api.authenticate()
        except SystemExit:
            raise UserError(
                "no Kaggle credentials were found, or the token has expired. Looked for KAGGLE_API_TOKEN, "
                "~/.kaggle/access_token, kaggle.json, KAGGLE_USERNAME with KAGGLE_KEY, and `kaggle auth login`. "
                + CREDENTIALS
            ) from None
    return api


class _Patience(Retry):
    """Retries that say that they wait, and that give up when the wait would be long."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Self:
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_WAIT:
            raise MaxRetryError(_pool, url or "")
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def sleep(self, response: Any = None) -> None:
        asked = self.get_retry_after(response) if response is not None else None
        if seconds := asked or self.get_backoff_time():
            reason = f"is busy ({response.status})" if response is not None else "gives no answer"
            print(f"Kaggle {reason}; next try in {seconds:.0f} s", file=sys.stderr, flush=True)
        super().sleep(response)


class _Adapter(HTTPAdapter):
    """Gives every request a time-out: requests, and so the client, has none by default."""

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        if options.get("timeout") is None:
            options["timeout"] = TIMEOUT
        return super().send(request, *args, **options)


def _mount(session: requests.Session, *, patient: bool) -> None:
    retries: Any = 0
    if patient:
        retries = _Patience(
            RETRIES, backoff_factor=BACKOFF, status_forcelist=BUSY, allowed_methods=None, raise_on_status=False
        )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(max_retries=retries))


@contextmanager
def _explained(what: str, remedies: Mapping[int, str]) -> Iterator[None]:
    """Turn the client's exceptions into one message each. Addresses are left out: some carry a signature."""
    try:
        yield
    except requests.HTTPError as error:
        raise _refusal(what, error.response, remedies) from None
    except json.JSONDecodeError:
        raise NoAnswerError(
            f"{what}: the answer is not Kaggle's. Is there a proxy or a log-in page in between?"
        ) from None
    except requests.RequestException as error:
        if isinstance(error, requests.Timeout) or "timed out" in str(error):
            raise NoAnswerError(f"{what}: no answer from Kaggle within {TIMEOUT[1]:.0f} s. Try again later.") from None
        raise NoAnswerError(
            f"{what}: the connection to Kaggle failed ({type(error).__name__}). Check the network, then give the "
            "same command again."
        ) from None
    except ValueError as error:  # how the client says that it does not like its input
        raise UserError(f"{what}: {error}") from None


def _refusal(what: str, response: Any, remedies: Mapping[int, str]) -> Exception:
    """The exception for an HTTP status of 400 or more."""
    status, message = _told(response)
    said = f"{what}: Kaggle answered {status}{message}"
    if status in remedies:
        return UserError(f"{said} {remedies[status]}")
    if status == 401:
        return UserError(f"{said} The credentials are not valid, or no longer. {CREDENTIALS}")
    if status == 403:
        return UserError(f"{said} This account may not do that.")
    if status == 404:
        return UserError(f"{said} Kaggle knows nothing of that name.")
    if status == 429:
        after = response.headers.get("Retry-After")
        return RunError(f"{said} Too many requests; try again {f'in {after} s' if after else 'in some minutes'}.")
    if status >= 500:
        return NoAnswerError(f"{said} The fault is on Kaggle's side; try again later.")
    return RunError(said)


def _told(response: Any) -> tuple[int, str]:
    """The status of a refusal, and what the server says of it, ready to follow the status in a sentence."""
    try:
        content = response.json()
        text = str(content["message"]).strip()
        # Some refusals come with status 200, the real one in the body.
        status = max(response.status_code, int(content.get("code", 0)))
    except (KeyError, TypeError, ValueError, AttributeError):
        return response.status_code, "."
    return status, f": {text[:300]}" + ("" if text.endswith(".") else ".")
