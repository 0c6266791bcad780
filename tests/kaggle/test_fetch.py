"""Fetching an output: whole, of this push, or not at all."""

import hashlib
import json
from pathlib import Path

import pytest
from kaggle_server import cut_short

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle.fetch import fetch, is_fetched
from pipeline.kaggle.push import find_push
from pipeline.records.run_folder import RECEIPT


def serve(server, pushed, **changes):
    """Let the server have the output of that push, complete."""
    files = {f"runs/tiny/{name}": f"content of {name}\n".encode() * 50 for name in "abcdefghijk"}
    files["runs/tiny/comparison.json"] = b"{}"
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    receipt = {"run_id": pushed.run_id, "bundle_sha256": pushed.bundle_sha256, "folder": "runs/tiny", "sha256": hashes}
    server.outputs = files | {RECEIPT: json.dumps(receipt | changes).encode(), "other.txt": b"not ours"}
    server.status, server.log = "COMPLETE", "epoch 1\nepoch 2\n"


def test_fetch_brings_the_runs_folder(server, account, pushed):
    before, folder = pushed
    serve(server, before)
    server.faults["File"] = [503]  # asked again
    fetch(account, before, folder)
    assert (folder.path / "k").read_bytes() == server.outputs["runs/tiny/k"]
    assert folder.kernel_log.read_text() == server.log
    assert is_fetched(folder)
    assert find_push(None) == find_push(folder.path) == (before, folder)
    assert sorted(p.name for p in Path("runs").iterdir()) == [folder.path.name]  # nothing left behind
    assert not (folder.path / "other.txt").exists()


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
    kept = sorted(p.name for p in folder.path.iterdir())
    serve(server, before, **changes)
    with pytest.raises(RunError, match=message):
        fetch(account, before, folder)
    assert sorted(p.name for p in folder.path.iterdir()) == kept


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
