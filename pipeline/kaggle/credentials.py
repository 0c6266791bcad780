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
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.config.errors import UserError
from pipeline.config.text import encoding_fault

REMEDY = (
    "Make an API token at https://www.kaggle.com/settings/api and save it as ~/.kaggle/access_token (or set "
    "KAGGLE_API_TOKEN), or run `kaggle auth login`."
)
SIGNATURE = re.compile(r"(https?://[^\s?]+)\?[^\s\"'<>)]*")
SENDABLE = re.compile(r"[!-~]{1,255}")  # what an HTTP header can carry; the client takes longer tokens for paths
SHORTEST_SECRET = 6  # characters; shorter ones would be found in any text


def ensure_home() -> None:
    """Give the process an empty folder where the client makes one, if its user has no home, or one that is read-only.

    In some containers neither is there.
    """
    try:
        _legacy_file().parent.mkdir(parents=True, exist_ok=True)
    except (RuntimeError, OSError) as error:
        folder = tempfile.mkdtemp()
        os.environ["HOME" if isinstance(error, RuntimeError) else "KAGGLE_CONFIG_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def find_credentials() -> dict[str, str]:
    """The first credentials that the client would find, as it has them in its config; warns of files open to others.

    Raises:
        UserError: there are none, or the client could not use them.
    """
    user, key, token = (os.environ.get(f"KAGGLE_{name}", "") for name in ("USERNAME", "KEY", "API_TOKEN"))
    legacy, login = _legacy_file(), _login_file()
    for path in (*_token_files(), legacy, login):
        _warn_if_readable(path)
    if token and not _names_path(token):
        return _checked({"token": token}, "KAGGLE_API_TOKEN")
    for path in _token_files():
        if path.exists():
            return _checked({"token": _text(path).strip()}, str(path))
    if user and key:
        return _checked({"username": user, "key": key}, "KAGGLE_USERNAME and KAGGLE_KEY")
    if legacy.is_file():
        content = _object(legacy)
        return _checked({"username": user or content.get("username"), "key": key or content.get("key")}, str(legacy))
    if login.is_file():
        _check_login(_object(login), str(login))
        return {}
    raise UserError(
        "no Kaggle credentials were found. Looked for KAGGLE_API_TOKEN, ~/.kaggle/access_token, KAGGLE_USERNAME with "
        f"KAGGLE_KEY, {legacy}, and {login}, which `kaggle auth login` writes. {REMEDY}"
    )


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
    for path in (_legacy_file(), _login_file()):
        with suppress(UserError, OSError):
            content = _object(path)
            yield from (str(content.get(name) or "") for name in ("key", "refresh_token", "access_token"))


def _token_files() -> list[Path]:
    named = [Path(token)] if _names_path(token := os.environ.get("KAGGLE_API_TOKEN", "")) else []
    return named + [Path.home() / ".kaggle" / name for name in ("access_token", "access_token.txt")]


def _names_path(token: str) -> bool:
    try:
        return bool(token) and Path(token).exists()
    except (OSError, ValueError):  # too long for a path, or with characters that no path has
        return False


def _legacy_file() -> Path:
    """Where the client looks for kaggle.json."""
    home = Path.home() / ".kaggle"
    if folder := os.environ.get("KAGGLE_CONFIG_DIR"):
        home = Path(folder)
    elif sys.platform.startswith("linux") and not (home / "kaggle.json").exists():
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    return home / "kaggle.json"


def _login_file() -> Path:
    return Path.home() / ".kaggle" / "credentials.json"


def _checked(values: dict[str, Any], where: str) -> dict[str, str]:
    """The values, if all are texts that the client can send."""
    for name, value in values.items():
        if not isinstance(value, str) or not value:
            raise _unusable(where, f"it holds no {name}")
        if not SENDABLE.fullmatch(value):
            raise _unusable(where, f"its {name} holds a line break, a space or another odd character, or is too long")
    return values


def _check_login(content: Mapping[str, Any], where: str) -> None:
    """Raise a UserError for what `kaggle auth login` does not write."""
    if not isinstance(content.get("refresh_token"), str):
        raise _unusable(where, "it holds no refresh_token")
    if not isinstance(content.get("username") or "", str):
        raise _unusable(where, "its username is not a text")
    expires, sound = content.get("access_token_expiration"), False
    with suppress(TypeError, ValueError):
        sound = not expires or datetime.fromisoformat(expires).tzinfo is not None
    if not sound:
        raise _unusable(where, "its access_token_expiration is not a time with a zone")


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
    try:
        content = path.read_bytes()
    except IsADirectoryError:
        raise _unusable(str(path), "it is a folder") from None
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
