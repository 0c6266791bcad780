"""Credentials as people have them: found, refused by name, and never shown."""

import json
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from conftest import ROOT
from kaggle_server import KEY, TOKEN, USER

from pipeline.cli import main
from pipeline.config.errors import UserError
from pipeline.kaggle.calls import submissions_left
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.credentials import redacted

SECRET = "s3cret-s3cret-s3cret"


@pytest.fixture
def home(account, monkeypatch):
    """An account without credentials."""
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.delenv("KAGGLE_CONFIG_DIR")
    (Path.home() / ".kaggle").mkdir(exist_ok=True)
    return Path.home() / ".kaggle"


def save(path, content):
    if content is None:
        path.mkdir()
        return
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)


def test_without_credentials(server, home, capsys):
    calls = len(server.calls)
    with pytest.raises(SystemExit) as caught:
        main(["download"])
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: no Kaggle credentials were found")
    assert "https://www.kaggle.com/settings/api" in captured.err
    assert captured.out == ""
    assert len(server.calls) == calls


@pytest.mark.parametrize("where", ["KAGGLE_API_TOKEN", "a file", "access_token", "access_token.txt", "kaggle.json"])
def test_sound_credentials_work_wherever_they_are(where, server, home, monkeypatch):
    if where == "KAGGLE_API_TOKEN":
        monkeypatch.setenv(where, TOKEN)
    elif where == "a file":
        save(home / "elsewhere", TOKEN + "\n")
        monkeypatch.setenv("KAGGLE_API_TOKEN", str(home / "elsewhere"))
    elif where == "kaggle.json":
        save(home / where, json.dumps({"username": USER, "key": KEY}))
    else:
        save(home / where, f"\n{TOKEN} \n")
    kaggle = Kaggle()
    assert kaggle.user == USER
    assert submissions_left(kaggle) == (5, 0)


def test_a_broken_kaggle_json_does_not_matter_beside_sound_credentials(home, monkeypatch):
    save(home / "kaggle.json", "[1]")
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    assert submissions_left(Kaggle()) == (5, 0)


def test_a_token_that_kaggle_does_not_know(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    with pytest.raises(UserError, match="Kaggle does not accept the token: it has expired, or was revoked"):
        Kaggle()


LOGIN = {"refresh_token": SECRET}
SOUND = json.dumps({"username": USER, "key": SECRET})
UNUSABLE = {
    "a token with a line break": ("KAGGLE_API_TOKEN", f"{SECRET}\n{SECRET}", "its token holds a line break"),
    "a token with a line break at its end": ("KAGGLE_API_TOKEN", f"{SECRET}\r", "its token holds a line break"),
    "a token with a curly quote": ("KAGGLE_API_TOKEN", f"\u201c{SECRET}\u201d", "another odd character"),
    "a token that is endless": ("KAGGLE_API_TOKEN", SECRET * 50, "is too long"),
    "a key with a line break": ("KAGGLE_KEY", f"{SECRET}\n", "its key holds a line break"),
    "a token's file of nothing": ("access_token", "\n", "it holds no token"),
    "a token's file in UTF-16": ("access_token", SECRET.encode("utf-16"), "it is UTF-16"),
    "a token's file in Latin-1": ("access_token", SECRET.encode() + b"\xe9", "it is not UTF-8"),
    "kaggle.json with a mark": ("kaggle.json", b"\xef\xbb\xbf" + SOUND.encode(), "byte order mark"),
    "kaggle.json cut short": ("kaggle.json", SOUND[:-3], "it is not JSON"),
    "kaggle.json so deep that no one reads it": ("kaggle.json", "[" * 100_000, "it is not JSON"),
    "kaggle.json with a list": ("kaggle.json", f"[{SOUND}]", "it holds no JSON object"),
    "kaggle.json with a number": ("kaggle.json", '{"username": "ada", "key": 12345678}', "it holds no key"),
    "kaggle.json with a key over two lines": ("kaggle.json", SOUND.replace("-", "\\n"), "its key holds a line break"),
    "a token's file that is a folder": ("access_token", None, "it is a folder"),
    "a log-in whose user is a number": ("credentials.json", json.dumps(LOGIN | {"username": 5}), "its username is"),
    "a log-in of an odd time": ("credentials.json", json.dumps(LOGIN | {"access_token_expiration": 5}), "not a time"),
    "a log-in without zone": (
        *("credentials.json", json.dumps(LOGIN | {"access_token_expiration": "2026-11-28T10:00:00"})),
        "its access_token_expiration is not a time with a zone",
    ),
    "a log-in that has been undone": ("credentials.json", f'{{"access_token": "{SECRET}"}}', "no refresh_token"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_the_client_cannot_use_is_named_and_not_shown(name, server, home, monkeypatch, capsys):
    where, content, message = UNUSABLE[name]
    if where.startswith("KAGGLE"):
        monkeypatch.setenv(where, content)
        monkeypatch.setenv("KAGGLE_USERNAME", USER)
    else:
        save(home / where, content)
    calls = len(server.calls)
    with pytest.raises(
        UserError, match=f"{where} .*is there, but the Kaggle client cannot use it: .*{message}"
    ) as caught:
        Kaggle()
    captured = capsys.readouterr()
    everything = captured.out + captured.err + "".join(traceback.format_exception(caught.value))
    assert SECRET[:8] not in everything
    assert len(server.calls) == calls


def test_files_that_others_can_read_are_told(home, capsys):
    token = home / "access_token"
    save(token, TOKEN)
    Kaggle()
    assert capsys.readouterr().err == ""
    token.chmod(0o640)
    Kaggle()
    assert f"other users of this machine can read {token}. Close it with: chmod 600" in capsys.readouterr().err


def test_no_form_of_a_secret_passes(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "first-half\nsecond-h\u00e4lf")
    save(home / "kaggle.json", SOUND)
    text = f"b'first-half\\nsecond-h\\xe4lf' first-half, second-h\u00e4lf and {SECRET}"
    for part in ("first-half", "second-h", SECRET):
        assert part not in redacted(text)
    assert redacted("nothing of it") == "nothing of it"


@pytest.mark.parametrize("home", [{}, {"HOME": "/proc/nowhere"}])
def test_a_user_without_a_home_needs_only_name_and_key(home, server, tmp_path):
    """As in a container whose user has no entry in /etc/passwd and no HOME, or one where nothing can be written."""
    code = (
        "import pwd\ndef none(_): raise KeyError('no entry')\npwd.getpwuid = none\n"
        "from pipeline.kaggle.client import Kaggle\nfrom pipeline.kaggle.calls import submissions_left\n"
        "print(submissions_left(Kaggle()))"
    )
    cleared = ("HOME", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME")
    environment = {name: value for name, value in server.environment(tmp_path).items() if name not in cleared}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment | home | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout == "(5, 0)\n", done.stderr
    assert list(tmp_path.iterdir()) == []  # no folder named ~
