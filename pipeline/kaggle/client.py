"""The user's account at Kaggle, through the client library.

The library is imported when it is first needed: its import logs in, and without credentials prints a page.
"""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, get_type_hints

from pipeline.config.errors import RunError, UserError
from pipeline.config.places import COMPETITION
from pipeline.config.text import printable
from pipeline.kaggle.connection import mount
from pipeline.kaggle.credentials import REMEDY, ensure_home, find_credentials
from pipeline.kaggle.refusals import NoAnswerError, explained
from pipeline.kaggle.waiting import patiently

T = TypeVar("T")

COMPETITION_REMEDIES = {
    403: f"Join the competition first: accept its rules at https://www.kaggle.com/c/{COMPETITION}/rules",
    404: f"Is https://www.kaggle.com/c/{COMPETITION} still open?",
}
# Kaggle answers 403, not 404, for a kernel that is not there.
KERNEL_REMEDIES = dict.fromkeys((403, 404), "Is that the kernel's owner/slug, as in its address, and is it yours?")
# By group of calls: the client's name for it, what each request says, and what to do when one is refused.
GROUPS: dict[str, tuple[str, dict[str, Any], dict[int, str]]] = {
    "kernels": ("kernels_api_client", {}, KERNEL_REMEDIES),
    "competitions": ("competition_api_client", {"competition_name": COMPETITION}, COMPETITION_REMEDIES),
}
SOURCES = ("competition", "dataset", "kernel", "model")  # that a kernel may have


@dataclass(frozen=True)
class SavedKernel:
    """What Kaggle says of a kernel that it took."""

    address: str
    """On its site, or owner/slug; empty if it does not say."""
    version: int
    """0 if it does not say."""
    invalid_sources: dict[str, list[str]]
    """What it did not attach, by kind."""


class Kaggle:
    """The user's account at Kaggle.

    Raises:
        UserError: there are no credentials, or Kaggle does not accept them.
        RunError: Kaggle cannot be reached.
    """

    def __init__(self) -> None:
        ensure_home()
        self._api = patiently(partial(_log_in, find_credentials()))
        self.user: str = self._api.config_values.get("username") or ""

    def ask(
        self, what: str, call: str, read: Callable[[Any], T], *, remedy: str = "", once: bool = False, **fields: Any
    ) -> T:
        """Make a call, and explain it when it fails.

        Args:
            what: Names the call in errors.
            call: The group and the method of the client's `KaggleClient`, such as "kernels.get_kernel".
            read: Takes what is wanted from the answer; an odd answer is explained like a broken one.
            remedy: What to do where Kaggle answers 403 or 404; by default that of the group.
            once: Do not try again when Kaggle is busy or gives no answer: for what must not happen twice.
            fields: Of the request.

        Raises:
            UserError: Kaggle refused, and the user can mend it.
            RunError: Kaggle failed or refused.
        """
        group, method = call.split(".")
        stub, fields_of_all, remedies = GROUPS[group]
        remedies = dict.fromkeys((403, 404), remedy) if remedy else remedies

        def try_once() -> T:
            # Only files lie elsewhere: what another host says to any other call is not Kaggle's answer.
            self._api.redirects = method.startswith("download")
            with explained(what, remedies), self._api.build_kaggle_client() as client:
                send = getattr(getattr(getattr(client, group), stub), method)
                request = get_type_hints(send)["request"]()
                for name, value in (fields_of_all | fields).items():
                    setattr(request, name, value)
                return read(send(request))

        return try_once() if once else patiently(try_once)

    def save_kernel(self, folder: Path) -> SavedKernel:
        """Push the kernel that a folder's metadata names, once.

        Raises:
            NoAnswerError: nobody can tell whether it arrived; for any other error it did not.
        """
        self._api.redirects = False
        with explained("pushing the kernel", {403: "Is kernel-metadata.json's id one of yours?"}):
            answer = self._api.kernels_push(str(folder))
            if answer.error:  # the client reports a refused push as if it had worked
                raise RunError(f"Kaggle refused the kernel: {printable(answer.error).rstrip('.')}.")
            invalid = {kind: getattr(answer, f"invalid_{kind}_sources", None) or [] for kind in SOURCES}
            saved = SavedKernel(
                printable(answer.ref or answer.url or ""),
                answer.version_number if isinstance(answer.version_number, int) else 0,
                {kind: [printable(name) for name in names] for kind, names in invalid.items() if names},
            )
        if saved == SavedKernel("", 0, {}):
            raise NoAnswerError("pushing the kernel: Kaggle's answer says nothing.")
        return saved

    def log_events(self, kernel: str) -> Iterator[str]:
        """What a kernel prints, as it prints it, from its beginning; ends with the kernel or the connection."""
        self._api.redirects = True
        with explained("following the log", {}):
            for event in self._api.kernels_logs_stream(kernel):
                yield str(event.get("data", "")) if isinstance(event, dict) else str(event)

    def download_competition(self, folder: Path) -> None:
        """Download the competition's zip into a folder, or the rest of it if a part is there."""

        @explained("downloading the data", COMPETITION_REMEDIES)
        def try_once() -> None:
            self._api.redirects = True
            self._api.competition_download_files(COMPETITION, str(folder), quiet=not sys.stderr.isatty())

        patiently(try_once)


@explained("logging in", {})
def _log_in(credentials: dict[str, str]) -> Any:
    """The client, logged in."""
    with redirect_stdout(io.StringIO()):
        from kaggle.api.kaggle_api_extended import KaggleApi

        class PatientApi(KaggleApi):
            """The client, with time-outs and bounds."""

            redirects = True
            # "--verbose", which VERBOSE=1 sets, would print the credentials.
            args = [argument for argument in KaggleApi.args if argument != "--verbose"]  # noqa: RUF012

            def read_config_file(self, config_data: Any = None, quiet: bool = False) -> dict[str, str]:  # noqa: ARG002
                """What was found and checked, whatever else kaggle.json holds."""
                return credentials

            def build_kaggle_client(self) -> Any:
                client = super().build_kaggle_client()
                http = client.http_client()
                http._init_session()
                mount(http._session, redirects=self.redirects)
                return client

            def download_file(self, *args: Any, **options: Any) -> None:
                """Without the client's own retries: it takes a full disk for a broken connection, and waits."""
                super().download_file(*args, **options, max_retries=0)

        _accept_new_words()
        api = PatientApi()
        try:
            api.authenticate()
        except SystemExit:
            raise UserError(f"Kaggle does not accept the token: it has expired, or was revoked. {REMEDY}") from None
    return api


@cache
def _accept_new_words() -> None:
    """Let the client take values of enums that are newer than it is; by itself it raises a KeyError."""
    from kagglesdk.kaggle_object import EnumSerializer

    known = EnumSerializer._from_str

    def from_str(kind: Any, word: str) -> Any:
        with suppress(KeyError):
            if isinstance(value := known(kind, word), kind):
                return value
        return SimpleNamespace(name=word)

    EnumSerializer._from_str = staticmethod(from_str)
