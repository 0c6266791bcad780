"""The user's credentials for Kaggle: found where the client finds them, checked before it uses them, never shown.

The client takes a file that it cannot read for no file, and puts what it cannot send into its exceptions.
"""

import atexit
import json
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.config.errors import UserError
from pipeline.config.text import encoding_fault

REMEDY = (
    "Make an API token at https://www.kaggle.com/settings/api and save it as ~/.kaggle/access_token (or set "
    "KAGGLE_API_TOKEN), or run `kaggle auth login`."
)
SIGNATURE = re.compile(r"(https?://[^\s?]+)\?[^\s\"'<>)]*")
TOKEN = re.compile(r"[!-~]{1,255}")  # what an HTTP header can carry; the client takes longer ones for paths
SHORTEST_SECRET = 6  # characters; shorter ones would be found in any text


def ensure_home() -> None:
    """Give the process an empty folder where the client makes one, if its user has no home, or one that is read-only.

    In some containers neither is there.
    """
    try:
        legacy_file().parent.mkdir(parents=True, exist_ok=True)
    except (RuntimeError, OSError) as error:
        folder = tempfile.mkdtemp()
        os.environ["HOME" if isinstance(error, RuntimeError) else "KAGGLE_CONFIG_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def check_credentials() -> None:
    """Check the first credentials that the client would find, and warn of files that other users can read.

    Raises:
        UserError: there are none, or the client could not use them.
    """
    for path in (*_token_files(), legacy_file(), _login_file()):
        _warn_if_readable(path)
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    if token and not _names_file(token):
        _check_token(token, "KAGGLE_API_TOKEN")
        return
    for path in _token_files():
        if path.is_file():
            _check_token(_text(path).strip(), str(path))
            return
    if os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"):
        _check_key(os.environ["KAGGLE_USERNAME"], os.environ["KAGGLE_KEY"], "KAGGLE_USERNAME and KAGGLE_KEY")
        return
    if (path := legacy_file()).is_file():
        content = _object(path)
        user = os.environ.get("KAGGLE_USERNAME") or content.get("username")
        key = os.environ.get("KAGGLE_KEY") or content.get("key")
        _check_key(user, key, str(path))
        return
    if (path := _login_file()).is_file():
        if not isinstance(_object(path).get("refresh_token"), str):
            raise _unusable(str(path), "it holds no refresh_token")
        return
    raise UserError(
        "no Kaggle credentials were found. Looked for KAGGLE_API_TOKEN, ~/.kaggle/access_token, KAGGLE_USERNAME with "
        f"KAGGLE_KEY, {legacy_file()}, and {_login_file()}, which `kaggle auth login` writes. {REMEDY}"
    )


def legacy_file() -> Path:
    """Where the client looks for kaggle.json."""
    home = Path.home() / ".kaggle"
    if folder := os.environ.get("KAGGLE_CONFIG_DIR"):
        home = Path(folder)
    elif sys.platform.startswith("linux") and not (home / "kaggle.json").exists():
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    return home / "kaggle.json"


def legacy_config() -> dict[str, str]:
    """What the client can use of kaggle.json: texts by their names; empty if the file is not there or damaged."""
    with suppress(UserError, OSError):
        return {name: value for name, value in _object(legacy_file()).items() if isinstance(value, str)}
    return {}


def redacted(text: str) -> str:
    """A text without any credential, in the forms in which one could be in it, nor what follows the ? of an address."""
    text = SIGNATURE.sub(r"\1?***", text)
    pieces = {piece for secret in _secrets() for piece in (secret, *secret.split())}
    forms = {form for piece in pieces for form in (piece, repr(piece)[1:-1], ascii(piece)[1:-1])}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= SHORTEST_SECRET:
            text = text.replace(form, "***")
    return text


def _secrets() -> Iterator[str]:
    """All values that must not be shown, wherever they are kept."""
    yield from (os.environ.get(name, "") for name in ("KAGGLE_API_TOKEN", "KAGGLE_KEY"))
    for path in _token_files():
        with suppress(UserError, OSError):
            yield _text(path)
    yield legacy_config().get("key", "")
    with suppress(UserError, OSError):
        login = _object(_login_file())
        yield from (str(login.get(name) or "") for name in ("refresh_token", "access_token"))


def _token_files() -> list[Path]:
    named = [Path(token)] if _names_file(token := os.environ.get("KAGGLE_API_TOKEN", "")) else []
    return named + [Path.home() / ".kaggle" / name for name in ("access_token", "access_token.txt")]


def _names_file(token: str) -> bool:
    try:
        return bool(token) and Path(token).is_file()
    except (OSError, ValueError):  # too long for a path, or with characters that no path has
        return False


def _login_file() -> Path:
    return Path.home() / ".kaggle" / "credentials.json"


def _check_token(token: str, where: str) -> None:
    if not token:
        raise _unusable(where, "it is empty")
    if not TOKEN.fullmatch(token):
        what = "a line break" if re.search(r"[\r\n]", token) else "a space or a character that no token has"
        raise _unusable(where, f"it holds {what}" if len(token) < 256 else "it is longer than any token")


def _check_key(user: Any, key: Any, where: str) -> None:
    for name, value in (("user name", user), ("key", key)):
        if not isinstance(value, str) or not value:
            raise _unusable(where, f"it holds no {name}")
        if not TOKEN.fullmatch(value):
            raise _unusable(where, f"the {name} holds a space, a line break or a character that no {name} has")


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of credentials."""
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError):
        raise _unusable(str(path), "it is not JSON") from None
    if not isinstance(content, dict):
        raise _unusable(str(path), 'it holds no JSON object, such as {"username": ..., "key": ...}')
    return content


def _text(path: Path) -> str:
    """The text of a file of credentials."""
    content = path.read_bytes()
    if fault := encoding_fault(content):
        raise _unusable(str(path), f"it {fault}")
    return content.decode()


def _unusable(where: str, reason: str) -> UserError:
    return UserError(f"{where} is there, but the Kaggle client cannot use it: {reason}. {REMEDY}")


def _warn_if_readable(path: Path) -> None:
    if os.name != "nt" and path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        print(
            f"WARNING: other users of this machine can read {path}. Close it with: chmod 600 {path}",
            file=sys.stderr,
            flush=True,
        )
