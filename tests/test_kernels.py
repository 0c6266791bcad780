"""Push, watch, fetch: once the whole way with a kernel that really runs, then each fault where it can happen."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TINY_FLAGS
from kaggle_server import KERNEL, KEY, After, cut_short, refusal, reply

from pipeline import kernels
from pipeline.bundle import BUNDLE
from pipeline.config import RunError, UserError
from pipeline.kernel import RECEIPT
from pipeline.kernel_metadata import METADATA
from pipeline.kernels import fetch, find_push, is_fetched, push, watch


@pytest.fixture
def pushed(account, server, tiny):
    """A kernel that was pushed, and its folder here; the server does not run it."""
    server.runs_kernels = False
    shutil.copy(ROOT / METADATA, METADATA)
    return push(account, tiny)


def serve(server, pushed, **changes):
    """Let the server have the output of that push, complete."""
    files = {f"runs/tiny/{name}": f"content of {name}\n".encode() * 50 for name in "abcdefghijk"}
    files["runs/tiny/comparison.json"] = b"{}"
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    receipt = {"run_id": pushed.run_id, "bundle_sha256": pushed.bundle_sha256, "folder": "runs/tiny", "sha256": hashes}
    server.outputs = files | {RECEIPT: json.dumps(receipt | changes).encode(), "other.txt": b"not ours"}
    server.status, server.log = "COMPLETE", "epoch 1\nepoch 2\n"


def command(folder, environment, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_the_whole_way_from_code_to_score(server, finished, csv_source, tmp_path):
    """Push, watch, fetch, submit, score; and the kernel computes what the package computes, bit for bit."""
    home, clone = tmp_path / "home", tmp_path / "clone"
    home.mkdir()
    clone.mkdir()
    shutil.copy(ROOT / METADATA, clone)
    shutil.copytree(csv_source, clone / "data")
    done = command(clone, server.environment(home), "push", "original", "--submit", *TINY_FLAGS)
    assert done.returncode == 0, done.stderr
    sent = server.kernel
    assert sent["slug"] == KERNEL
    assert sent["text"] == (clone / BUNDLE).read_text()
    assert (sent["language"], sent["kernelType"], sent["machineShape"]) == ("python", "script", "NvidiaTeslaT4")
    assert (sent["isPrivate"], sent["enableGpu"], sent["enableInternet"]) == (True, True, False)
    assert sent["competitionDataSources"] == ["digit-recognizer"]

    (folder,) = (clone / "runs").iterdir()
    for member in ("relu-s0-f0", "swish-s0-f0"):
        for array in ("test_probabilities.npy", "validation_probabilities.npy"):
            ours, theirs = (f / "members" / member / array for f in (folder, finished[0]))
            assert ours.read_bytes() == theirs.read_bytes()
    assert (folder / "submission.csv").read_bytes() == (finished[0] / "submission.csv").read_bytes()

    working = server.folder / "working1"
    written = {path.relative_to(working).as_posix() for path in working.rglob("*") if path.is_file()}
    assert {"submission.csv", "report.html", RECEIPT} <= written
    assert len(written) < 500
    assert not any("checkpoints" in path for path in written)
    assert (working / "submission.csv").read_bytes() == (folder / "submission.csv").read_bytes()
    first = [server.log.index(text) for text in ("bundle: ", "packages: tensorflow", "run: original in")]
    assert first == sorted(first)

    predicted = pd.read_csv(folder / "submission.csv")["Label"].to_numpy()
    score = np.mean(predicted == server.truth)
    for text in (
        f"pushed version 1 of {KERNEL}: https://www.kaggle.com/code/{KERNEL}",
        f"{KERNEL}: RUNNING",
        "swish-s0-f0 epoch 6/6",
        f"{KERNEL}: COMPLETE",
        "submissions left today: 5",
        f"score: {score:.5f}; your best is at rank 12 of 1,500",
    ):
        assert done.stdout.count(text) == 1, text
    (entry,) = [json.loads(line) for line in (clone / "submissions" / "log.jsonl").read_text().splitlines()]
    assert (entry["status"], entry["score"]) == ("complete", float(f"{score:.5f}"))
    everything = done.stdout + done.stderr + server.log + sent["text"]
    everything += "".join(p.read_text(errors="replace") for p in clone.rglob("*") if p.is_file())
    assert KEY not in everything
    assert "s3cret" not in everything

    listed = command(clone, server.environment(home), "runs")
    assert folder.name[:20] in listed.stdout
    assert f"{score:.5f}" in listed.stdout


def test_bundle_then_the_clients_own_push(server, tmp_path):
    server.runs_kernels = False
    environment = server.environment(tmp_path)
    shutil.copy(ROOT / METADATA, tmp_path)
    bundled = command(tmp_path, environment, "bundle", "sample")
    assert bundled.returncode == 0, bundled.stderr
    assert f"{METADATA}: {KERNEL}" in bundled.stdout
    kaggle = Path(sys.executable).with_name("kaggle")
    done = subprocess.run(
        [kaggle, "kernels", "push"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "Kernel version 1 successfully pushed" in done.stdout
    assert server.kernel["text"] == (tmp_path / BUNDLE).read_text()


def test_a_kernel_that_breaks_ends_in_error_with_its_log(server, account, tiny, csv_source):
    shutil.copy(ROOT / METADATA, METADATA)
    (server.input / "competitions" / "digit-recognizer").unlink()
    pushed, folder = push(account, tiny)
    with pytest.raises(RunError, match=r"(?s)failed \(it broke\).*Traceback.*Attach the competition to the kernel"):
        watch(account, pushed)
    assert not is_fetched(folder)


def test_watch_prints_each_event_once_though_the_stream_breaks(server, account, pushed, capsys):
    server.status, server.log = "RUNNING", "line 1\n"
    server.faults["Logs"] = [500, cut_short(b'data: {"data": "line 1"}\n\n')]
    server.faults["GetKernelSessionStatus"] = ["slow", 503]

    def go_on():
        time.sleep(4.5)
        server.log += "line 2\n"
        server.status = "COMPLETE"

    threading.Thread(target=go_on).start()
    watch(account, pushed[0])
    printed = capsys.readouterr().out
    assert printed.count("line 1") == printed.count("line 2") == 1
    assert printed.index("RUNNING") < printed.index("line 2") < printed.index("COMPLETE")


def test_watch_gives_up_when_kaggle_stays_silent(server, account, pushed, monkeypatch):
    monkeypatch.setattr(kernels, "MOST_FAILURES", 2)
    server.faults["GetKernelSessionStatus"] = [500] * 6
    with pytest.raises(RunError, match="The kernel goes on: .*python -m pipeline fetch"):
        watch(account, pushed[0])


def test_a_cancelled_kernel(server, account, pushed):
    server.status, server.log = "CANCEL_ACKNOWLEDGED", "half way\n"
    with pytest.raises(RunError, match="(?s)was cancelled: by hand, or at Kaggle's time limit.*half way"):
        watch(account, pushed[0])


def test_fetch_brings_the_runs_folder(server, account, pushed):
    before, folder = pushed
    serve(server, before)
    server.faults["File"] = [503]  # asked again
    fetch(account, before, folder)
    assert (folder / "k").read_bytes() == server.outputs["runs/tiny/k"]
    assert (folder / "kernel.log").read_text() == server.log
    assert is_fetched(folder)
    assert find_push(None) == find_push(folder) == (before, folder)
    assert sorted(p.name for p in Path("runs").iterdir()) == [folder.name]  # nothing left behind
    assert not (folder / "other.txt").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run_id": "another"}, r"is of another run \(another, not .*Nothing was replaced"),
        ({"bundle_sha256": "0" * 64}, "is of another run"),
        ({"folder": "../elsewhere"}, "damaged kernel.json"),
        ({"sha256": {"runs/tiny/z": "0"}}, "1 files missing, 0 damaged, such as runs/tiny/z"),
        ({"sha256": {"runs/tiny/a": "0"}}, "0 files missing, 1 damaged, such as runs/tiny/a"),
    ],
)
def test_what_is_not_this_pushs_output_is_not_taken(changes, message, server, account, pushed):
    before, folder = pushed
    kept = sorted(p.name for p in folder.iterdir())
    serve(server, before, **changes)
    with pytest.raises(RunError, match=message):
        fetch(account, before, folder)
    assert sorted(p.name for p in folder.iterdir()) == kept


@pytest.mark.parametrize(
    ("rpc", "fault", "message"),
    [
        ("File", 404, "downloading the output: Kaggle answered 404"),
        ("File", cut_short(), "downloading the output: the connection to Kaggle failed"),
        ("File", "slow", None),  # asked again
        ("ListKernelSessionOutput", 403, "Is that the kernel's owner/slug"),
        ("ListKernelSessionOutput", 429, None),
    ],
)
def test_a_broken_fetch_leaves_nothing_half(rpc, fault, message, server, account, pushed):
    before, folder = pushed
    serve(server, before)
    server.faults[rpc] = [fault]
    if message is None:
        fetch(account, before, folder)
    else:
        with pytest.raises((RunError, UserError), match=message):
            fetch(account, before, folder)
        assert not is_fetched(folder)
        fetch(account, before, folder)  # the same command again
    assert is_fetched(folder)


def test_an_output_without_receipt_or_with_a_path_out_of_its_folder(server, account, pushed):
    before, folder = pushed
    server.status = "COMPLETE"
    server.outputs = {"submission.csv": b""}
    with pytest.raises(RunError, match="has no kernel.json"):
        fetch(account, before, folder)
    server.outputs = {"../../.bashrc": b"evil"}
    with pytest.raises(RunError, match=r"a file outside of its folder: '../../.bashrc'"):
        fetch(account, before, folder)


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (reply({"error": "Maximum batch GPU session count of 2 reached."}), RunError, "refused .*stop one"),
        (reply({"error": "You have used your weekly GPU quota"}), RunError, "refused .*counted per week"),
        (reply({"error": "Notebook title is already in use"}), RunError, "refused .*Change title and id"),
        (reply({"invalidCompetitionSources": ["digit-recognizer"]}), RunError, "did not attach.*Accept the rules"),
        (403, UserError, "kernel-metadata.json's id one of yours"),
        (401, UserError, "credentials are not valid"),
        (429, RunError, "Too many requests"),
        (refusal(400, "text is too long"), RunError, "text is too long"),
        (503, RunError, "does not have this version; push again"),
    ],
)
def test_a_push_that_kaggle_refuses(fault, kind, message, server, account, pushed, tiny):
    server.faults["SaveKernel"] = [fault]
    with pytest.raises(kind, match=message):
        push(account, tiny)
    assert server.version == 1
    assert find_push(None) == pushed  # no record of what was not pushed


def test_a_first_push_that_never_arrived(server, account, tiny):
    shutil.copy(ROOT / METADATA, METADATA)
    server.faults["SaveKernel"] = [503]
    server.faults["GetKernel"] = [403, 403]
    with pytest.raises(RunError, match="does not have this version; push again"):
        push(account, tiny)


@pytest.mark.parametrize("fault", [After(504), "slow"])
def test_a_push_that_arrived_though_the_answer_did_not(fault, server, account, pushed, tiny):
    server.faults["SaveKernel"] = [fault]
    again, _ = push(account, tiny)
    assert (again.version, again.run_id != pushed[0].run_id) == (2, True)
    assert server.calls.count("SaveKernel") == 2


def test_without_a_push_there_is_nothing_to_fetch(account, tmp_path):
    with pytest.raises(UserError, match="nothing was pushed from here"):
        find_push(None)
    with pytest.raises(UserError, match="was not pushed"):
        find_push(tmp_path)
    (tmp_path / "push.json").write_text("{")
    with pytest.raises(UserError, match="push.json is damaged"):
        find_push(tmp_path)
