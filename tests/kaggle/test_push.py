"""Pushing: what Kaggle refuses, what arrives though its answer does not, and the client's own push."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT, command_at
from kaggle_server import KERNEL, After, refusal, reply

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle.metadata import CODE_FILE, METADATA
from pipeline.kaggle.push import confirmed, make_bundle, push
from pipeline.kaggle.pushes import find_push, read_push, state


@pytest.mark.parametrize(("owner", "folder"), [("INSERT_USERNAME", ["-p", "build"]), ("ada", [])])
def test_bundle_then_the_clients_own_push(owner, folder, server, tmp_path):
    """From the copy beside the bundle, or by the file at the root, which stays as the user wrote it."""
    server.runs_kernels = False
    environment = server.environment(tmp_path)
    metadata = (ROOT / METADATA).read_text().replace("INSERT_USERNAME", owner)
    (tmp_path / METADATA).write_text(metadata)
    bundled = command_at(tmp_path, environment, "bundle", "sample")
    assert bundled.returncode == 0, bundled.stderr
    assert "kaggle kernels push -p build" in bundled.stdout
    kaggle = Path(sys.executable).with_name("kaggle")
    done = subprocess.run(
        [kaggle, "kernels", "push", *folder], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "Kernel version 1 successfully pushed" in done.stdout
    assert server.kernel["text"] == (tmp_path / CODE_FILE).read_text()
    assert (server.kernel["slug"], server.kernel["machineShape"]) == (KERNEL, "NvidiaTeslaT4")
    assert (tmp_path / METADATA).read_text() == metadata


def test_an_unsound_config_is_refused_before_anything_is_written_or_sent(account, server, tiny):
    shutil.copy(ROOT / METADATA, METADATA)
    for act in (make_bundle, partial(push, account)):
        with pytest.raises(UserError, match="seeds must be between 1 and 1,000"):
            act(replace(tiny, seeds=0))
    assert [path.name for path in Path().iterdir()] == [METADATA.name]
    assert "SaveKernel" not in server.calls


def test_two_pushes_at_once_send_two_bundles(account, server, tiny):
    server.runs_kernels = False
    shutil.copy(ROOT / METADATA, METADATA)
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda seeds: command_at(Path(), dict(os.environ), "push", "--seeds", seeds), "12"))
    assert [command.returncode for command in ended] == [0, 0]
    texts = [request["text"] for name, request in server.requests if name == "SaveKernel"]
    marks = [find_push(path)[0].mark for path in Path("runs").iterdir()]
    assert [sum(mark in text for text in texts) for mark in marks] == [1, 1]


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (reply({"error": "Maximum batch GPU session count of 2 reached."}), RunError, "refused .*stop one"),
        (reply({"error": "You have used your weekly GPU quota"}), RunError, "refused .*counted per week"),
        (403, UserError, "kernel-metadata.json's id one of yours"),
        (refusal(409, "Maximum batch CPU session count reached"), RunError, "answered 409.*stop one"),
    ],
)
def test_a_push_that_kaggle_refuses(fault, kind, message, server, account, pushed, tiny):
    server.faults["SaveKernel"] = [fault]
    with pytest.raises(kind, match=message):
        push(account, tiny)
    assert server.version == 1
    assert find_push(None) == pushed
    assert [path.name for path in Path("runs").iterdir()] == [pushed[1].path.name]  # no record of what was not pushed


def test_a_source_that_is_not_attached_is_said_of_a_push_that_is_recorded(server, account, pushed, tiny):
    server.faults["SaveKernel"] = [lambda _: reply({"invalidCompetitionSources": ["digit-recognizer"]})]
    with pytest.raises(RunError, match="was pushed, but .* did not attach the competition digit-rec.*Accept the rules"):
        push(account, tiny)
    assert find_push(None)[0].arrived
    assert find_push(None) != pushed


LOOK_FIRST = "It may have arrived. Look before you push again: python -m pipeline fetch runs/tiny-"


@pytest.mark.parametrize("fault", [503, After(504)])
@pytest.mark.parametrize("look", [403, 503])
def test_a_push_of_which_nobody_knows_whether_it_arrived_stays_recorded(fault, look, server, account, tiny):
    """The answer is lost, and then Kaggle does not show it yet, or is not there at all."""
    shutil.copy(ROOT / METADATA, METADATA)
    server.runs_kernels = False
    server.faults["SaveKernel"] = [fault]
    server.faults["GetKernel"] = [look] * 9
    with pytest.raises(RunError, match=LOOK_FIRST):
        push(account, tiny)
    lost, folder = find_push(None)
    assert not lost.arrived
    assert state(folder) == "perhaps at Kaggle"
    server.faults["GetKernel"] = []
    if fault == 504:  # it was carried out
        assert confirmed(account, lost, folder) == replace(lost, version=1, arrived=True)


def test_an_interrupted_push_says_to_look_first(server, account, pushed, tiny, monkeypatch, capsys):
    send = account.save_kernel

    def interrupted(folder):
        send(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(account, "save_kernel", interrupted)
    with pytest.raises(KeyboardInterrupt):
        push(account, tiny)
    assert LOOK_FIRST in capsys.readouterr().out
    cut_off, folder = find_push(None)
    assert (cut_off.arrived, cut_off.version, server.version) == (False, 0, 2)
    found = confirmed(account, cut_off, folder)
    assert (found.arrived, found.version) == (True, 2)
    assert find_push(folder.path) == (found, folder)
    server.kernel["text"] = "another's"
    with pytest.raises(UserError, match="Kaggle does not have the push .* cut off, or the kernel was pushed again"):
        confirmed(account, cut_off, folder)


@pytest.mark.parametrize("fault", [After(504), "slow"])
def test_a_push_that_arrived_though_the_answer_did_not(fault, server, account, pushed, tiny):
    server.faults["SaveKernel"] = [fault]
    again, _ = push(account, tiny)
    assert (again.version, again.mark != pushed[0].mark) == (2, True)
    assert server.calls.count("SaveKernel") == 2


def test_an_answer_without_version_and_name(server, account, pushed, tiny, capsys):
    server.faults["SaveKernel"] = [reply({"ref": "?"}), lambda _: reply({})]
    again, folder = push(account, tiny)
    assert (again.version, again.kernel) == (0, KERNEL)
    assert find_push(None) == (again, folder)
    assert f"pushed {KERNEL}: https://www.kaggle.com/code/{KERNEL}\n" in capsys.readouterr().out
    assert push(account, tiny)[0].version == 2  # an answer that says nothing: it was looked up


@pytest.mark.parametrize("version", ["x", 1.5, None])
def test_an_answer_of_odd_types(version, server, account, pushed, tiny):
    server.faults["SaveKernel"] = [reply({"ref": 5, "versionNumber": version})]
    again, folder = push(account, tiny)
    assert (again.version, again.kernel) == (0, KERNEL)
    assert read_push(folder) == again
    server.faults["SaveKernel"] = [reply({"error": 5})]
    with pytest.raises(RunError, match="Kaggle refused the kernel: 5"):
        push(account, tiny)


@pytest.mark.parametrize("name", ["/code/ada/renamed-kernel", "https://www.kaggle.com/code/ada/renamed-kernel"])
def test_kaggles_name_for_the_kernel_wins_over_ours(name, server, account, pushed, tiny):
    server.faults["SaveKernel"] = [lambda _: reply({"ref": name, "url": name, "versionNumber": 1})]
    again, _ = push(account, tiny)
    assert (again.kernel, again.url) == ("ada/renamed-kernel", "https://www.kaggle.com/code/ada/renamed-kernel")


def test_the_latest_push_is_the_one_that_says_so_whatever_the_files_times(server, account, pushed, tiny, capsys):
    latest = push(account, tiny)
    os.utime(pushed[1].push, (4e9, 4e9))
    assert find_push(None) == latest
    damaged = Path("runs/damaged")
    damaged.mkdir()
    (damaged / "push.json").write_bytes(b"\xff\xfe")
    assert find_push(None) == latest
    assert "WARNING: runs/damaged/push.json is damaged" in capsys.readouterr().err


def test_without_a_push_there_is_nothing_to_fetch(account, tmp_path):
    with pytest.raises(UserError, match="nothing was pushed from here"):
        find_push(None)
    with pytest.raises(UserError, match="was not pushed"):
        find_push(tmp_path)
    (tmp_path / "push.json").write_text("{")
    with pytest.raises(UserError, match="push.json is damaged"):
        find_push(tmp_path)
