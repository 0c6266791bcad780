"""What can go wrong between here and Kaggle, as one message each that says what to do."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from pipeline.config.errors import RunError, UserError
from pipeline.config.text import printable
from pipeline.kaggle.credentials import REMEDY, redacted

REMEDIES = {
    401: f"The credentials are not valid, or no longer. {REMEDY}",
    403: "This account may not do that.",
    404: "Kaggle knows nothing of that name.",
}


class PassingError(RunError):
    """A failure that may pass by itself."""

    seconds = 0.0
    """How long Kaggle asks to wait, if it does."""


class NoAnswerError(PassingError):
    """No answer, a broken one, or a fault of the server: nobody can tell whether the request arrived."""


class BusyError(PassingError):
    """Kaggle did nothing, and asks to wait."""


class RefusedError(UserError):
    """Kaggle refused, and the user can mend it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        """Of HTTP."""


class TooLargeError(requests.RequestException):
    """An answer that has more bytes than any that makes sense."""


@contextmanager
def explained(what: str, remedies: Mapping[int, str]) -> Iterator[None]:
    """Turn the client's exceptions into one message each.

    The messages leave out addresses, of which some carry a signature, and texts of foreign exceptions, of which some
    carry the credentials; what is quoted goes through `redacted`.

    Args:
        what: Names the request.
        remedies: What to do, by HTTP status, where it is not the usual.
    """
    try:
        yield
    except (UserError, RunError):
        raise
    except requests.HTTPError as error:
        if error.response is None:
            raise NoAnswerError(f"{what}: Kaggle's answer broke off. Try again later.") from None
        raise _refusal(what, error.response, {**REMEDIES, **remedies}) from None
    except json.JSONDecodeError:
        raise NoAnswerError(
            f"{what}: the answer is not Kaggle's. Is there a proxy or a log-in page in between?"
        ) from None
    except requests.RequestException as error:
        raise _broken_connection(what, error) from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) is not None:
            raise  # a full disk: it names itself
        # What the client says of its input, or requests of a REQUESTS_CA_BUNDLE that is no file.
        raise UserError(f"{what}: {redacted(str(error))[:500]}") from None
    except Exception as error:
        raise NoAnswerError(
            f"{what}: the client does not understand Kaggle's answer ({type(error).__name__}). Is there a newer one? "
            "python -m pip install --upgrade kaggle"
        ) from None


def _broken_connection(what: str, error: requests.RequestException) -> Exception:
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UserError(
            f"{what}: the connection is not Kaggle's: its certificate is signed by nobody whom this machine trusts. "
            "Does your network inspect TLS? Then save its root certificate as a PEM file and set REQUESTS_CA_BUNDLE to "
            "that file."
        )
    if isinstance(error, requests.exceptions.InvalidProxyURL | requests.exceptions.InvalidSchema):
        return UserError(
            f"{what}: http_proxy, https_proxy or all_proxy is not the address of a proxy that can be used. A SOCKS "
            "proxy needs one more package: python -m pip install 'requests[socks]'"
        )
    if isinstance(error, TooLargeError):
        return RunError(f"{what}: the answer has more than {error} bytes, so it was not read to its end.")
    if isinstance(error, requests.TooManyRedirects):
        return NoAnswerError(f"{what}: Kaggle's answer is to ask elsewhere, which was not done.")
    return NoAnswerError(
        f"{what}: no answer from Kaggle ({type(error).__name__}). Check the network and its proxy (http_proxy, "
        "https_proxy, all_proxy)."
    )


def _refusal(what: str, response: Any, remedies: Mapping[int, str]) -> Exception:
    """The exception for an HTTP status of 400 or more."""
    status, message = _told(response)
    said = f"{what}: Kaggle answered {status}{message}"
    if status in remedies:
        return RefusedError(f"{said} {remedies[status]}", status)
    if status < 500 and status != 429:
        return RunError(said)
    seconds = _asked_for(response.headers.get("Retry-After", ""))
    when = f"in {seconds:.0f} s" if seconds else "in some minutes" if status == 429 else "later"
    passing = (
        BusyError(f"{said} Too many requests; try again {when}.")
        if status == 429
        else NoAnswerError(f"{said} The fault is on Kaggle's side; try again {when}.")
    )
    passing.seconds = seconds
    return passing


def _asked_for(retry_after: str) -> float:
    """The seconds in a Retry-After, which is a number or a date; 0 if it is neither."""
    with suppress(ValueError, TypeError, OverflowError):
        if retry_after.isdecimal():
            return float(retry_after)
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    return 0.0


def _told(response: Any) -> tuple[int, str]:
    """The status of a refusal, and what the server says of it, ready to follow the status in a sentence."""
    try:
        content = response.json()
        text = printable(redacted(str(content["message"]).strip()))
        # Some refusals come with status 200, the real one in the body.
        status = max(response.status_code, int(content.get("code", 0)))
    except (KeyError, TypeError, ValueError, AttributeError):
        return response.status_code, "."
    return status, f": {text[:300]}" + ("" if text.endswith(".") else ".")
