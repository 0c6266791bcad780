"""Fetching an output: whole, or what a kernel finished before it failed; of this push, or not at all."""

import hashlib
import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from factories import damage, votes
from filelock import FileLock
from kaggle_server import KERNEL, cut_short
from studies import findings_of

from pipeline.cli import main, read
from pipeline.config.config_json import to_json
from pipeline.config.errors import RunError, UserError
from pipeline.config.schema import member_specs
from pipeline.ensemble.submission import write_submission
from pipeline.kaggle import watch as watch_module
from pipeline.kaggle.bundle import bundle, write_bundle
from pipeline.kaggle.fetch import fetch, follow, is_fetched
from pipeline.kaggle.metadata import METADATA, read_metadata
from pipeline.kaggle.pushes import adopt, find_push
from pipeline.records.atomic import file_sha256
from pipeline.records.members import commit
from pipeline.records.run_folder import RECEIPT, RunFolder
from pipeline.records.submission_record import read_submission_record
from pipeline.runs import list_runs


def test_fetch_brings_the_runs_folder(server, account, pushed):
    before, folder = pushed
    server.leave_output(before)
    server.faults["File"] = [503]  # asked again
    fetch(account, before, folder)
    assert (folder.path / "k").read_bytes() == server.outputs["runs/tiny/k"]
    assert folder.kernel_log.read_text() == server.head + server.log
    assert is_fetched(folder)
    assert find_push(None) == find_push(folder.path) == (before, folder)
    assert sorted(p.name for p in Path("runs").iterdir()) == [folder.path.name]  # nothing left behind
    assert not (folder.path / "other.txt").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bundle_sha256": "0" * 64}, "is of another run.*Nothing was replaced"),
        ({"folder": "../elsewhere"}, "damaged kernel.json"),
        ({"sha256": {"../../.bashrc": "0"}}, "damaged kernel.json"),
        ({"sha256": {"/etc/passwd": "0"}}, "damaged kernel.json"),
        ({"sha256": {"..\\evil": "0"}}, "damaged kernel.json"),
        ({"sha256": {"C:\\evil": "0"}}, "damaged kernel.json"),
        ({"sha256": {"runs/tiny/a": 7}}, "damaged kernel.json"),
        ({"sha256": {"runs/tiny/z": "0"}}, "1 files missing, 0 damaged, such as runs/tiny/z"),
        ({"sha256": {"runs/tiny": "0", "runs/tiny/a": "0"}}, "1 files missing, 1 damaged, such as runs/tiny"),
        ({"sha256": {"runs/tiny/a": "0"}}, "0 files missing, 1 damaged, such as runs/tiny/a"),
    ],
)
def test_what_is_not_this_pushs_output_is_not_taken(changes, message, server, account, pushed):
    before, folder = pushed
    kept = sorted(p.name for p in folder.path.iterdir())
    server.leave_output(before, **changes)
    with pytest.raises(RunError, match=message):
        fetch(account, before, folder)
    assert sorted(p.name for p in folder.path.iterdir() if p != folder.lock) == kept


@pytest.mark.parametrize(
    ("rpc", "faults", "message"),
    [
        ("File", [404], "downloading the output: Kaggle answered 404"),
        ("File", [cut_short()] * 3, "downloading the output: no answer from Kaggle"),
        ("File", [cut_short()], None),  # asked again
        ("ListKernelSessionOutput", [403], "Is that the kernel's owner/slug"),
    ],
)
def test_a_broken_fetch_leaves_nothing_half(rpc, faults, message, server, account, pushed):
    before, folder = pushed
    server.leave_output(before)
    server.faults[rpc] = faults
    if message is None:
        fetch(account, before, folder)
    else:
        with pytest.raises((RunError, UserError), match=message):
            fetch(account, before, folder)
        assert not is_fetched(folder)
        fetch(account, before, folder)  # the same command again
    assert is_fetched(folder)


@pytest.mark.parametrize("content", [b"{", b"null", b"\xff\xfe{", b"[" * 100_000, b'{"folder": "x"}'])
def test_a_damaged_receipt_is_not_called_another_runs(content, server, account, pushed):
    before, folder = pushed
    server.leave_output(before)
    server.outputs[RECEIPT] = content
    with pytest.raises(RunError, match="has a damaged kernel.json. Nothing was replaced. Try again"):
        fetch(account, before, folder)


def test_an_output_without_receipt(server, account, pushed):
    before, folder = pushed
    server.status = "COMPLETE"
    server.outputs = {"submission.csv": b""}
    with pytest.raises(RunError, match="has no kernel.json"):
        fetch(account, before, folder)


def test_two_commands_do_not_fetch_at_once(server, account, pushed):
    before, folder = pushed
    server.leave_output(before)
    with FileLock(folder.lock), pytest.raises(UserError, match="another run is at work in"):
        fetch(account, before, folder)


@pytest.fixture
def broken_off(server, pushed, digits, tiny, tmp_path):
    """What a kernel leaves that is stopped at its time limit, with one member of two; as a folder to change."""
    there = RunFolder(tmp_path / "working" / RunFolder.of(tiny).path)
    there.path.mkdir(parents=True)
    there.claim(tiny, digits)
    members = findings_of(digits, tiny).members
    for member in members:
        commit(there.member(member.spec), member, digits.digest(), lambda path: path.write_bytes(b"a network"))
    (there.member(members[1].spec) / "model.keras").write_bytes(b"half a netw")
    (there.path / "checkpoints").mkdir()
    (there.path / "checkpoints" / "epoch-0001.npz").write_bytes(b"x")
    server.status, server.log = "CANCEL_ACKNOWLEDGED", "epoch 1\n"
    return there


def vote_of_one(there):
    write_submission(there, np.arange(1, 28_001), np.arange(28_000) % 10, votes(1, missing=1))


def serve_folder(server, working):
    server.outputs = {
        path.relative_to(working).as_posix(): path.read_bytes() for path in working.rglob("*") if path.is_file()
    }


def test_the_finished_members_of_a_kernel_that_was_stopped_are_taken(server, account, pushed, broken_off, digits, tiny):
    before, folder = pushed
    serve_folder(server, broken_off.path.parents[1])
    with pytest.raises(RunError, match="(?s)was cancelled.*log:.*epoch 1.*1 of 2 networks were finished") as caught:
        follow(account, before, folder)
    first, second = member_specs(tiny)
    assert damage(folder.member(first), first, digits.digest()) is None
    assert not folder.member(second).exists()
    assert folder.read_data_digest() == digits.digest()
    assert folder.read_config() == tiny
    assert "epoch 1" in folder.kernel_log.read_text()
    assert not is_fetched(folder)  # a second fetch looks again, and a run goes on from what is here
    command = shlex.split(str(caught.value).rpartition("To train the rest here: ")[2])
    assert command[:4] == ["python", "-m", "pipeline", "run"]
    assert read("run", command[4:]).config == replace(tiny, out=str(folder.path))
    downloads = server.calls.count("File")
    with pytest.raises(RunError, match="1 of 2 networks were finished"):
        follow(account, before, folder)
    assert downloads == 14  # config, data, and six files of each member
    assert server.calls.count("File") - downloads == 8  # what is here and whole is not downloaded again


def test_a_provisional_submission_comes_along_with_its_config(server, account, pushed, broken_off, tiny, capsys):
    _, folder = pushed
    broken_off.write_config(replace(tiny, data="elsewhere"))  # no member depends on it
    vote_of_one(broken_off)
    serve_folder(server, broken_off.path.parents[1])
    with pytest.raises(SystemExit, match="1"):
        main(["fetch", str(folder.path)])
    assert "So is a submission of what was finished" in capsys.readouterr().err
    assert folder.submission.read_bytes() == broken_off.submission.read_bytes()
    assert read_submission_record(folder).incomplete
    assert read_submission_record(folder).config_sha256 == file_sha256(folder.config)
    (copy,) = Path("submissions").glob("tiny-*.csv")  # training the rest here overwrites the other
    assert copy.read_bytes() == folder.submission.read_bytes()


@pytest.mark.parametrize(
    "harm",
    [
        lambda there: there.submission.write_bytes(there.submission.read_bytes().replace(b"\n1,0\n", b"\n1,1\n")),
        lambda there: there.submission_record.unlink(),
        lambda there: there.write_config(replace(there.read_config(), seeds=7)),
        lambda there: (there.write_config(replace(there.read_config(), seeds=7)), vote_of_one(there)),  # another run's
    ],
)
def test_a_provisional_submission_that_cannot_be_verified_stays_there(harm, server, account, pushed, broken_off):
    before, folder = pushed
    config = folder.config.read_bytes()
    vote_of_one(broken_off)
    harm(broken_off)
    serve_folder(server, broken_off.path.parents[1])
    with pytest.raises(RunError, match="1 of 2 networks were finished") as caught:
        follow(account, before, folder)
    assert "So is a submission" not in str(caught.value)
    assert not folder.submission.exists()
    assert folder.config.read_bytes() == config


def test_a_kernel_that_ran_out_of_its_hours_ends_well_and_says_what_is_missing(
    server, account, pushed, broken_off, tiny, capsys
):
    before, folder = pushed
    broken_off.write_config(replace(tiny, hours=11.5, device="gpu"))
    vote_of_one(broken_off)
    serve_folder(server, broken_off.path.parents[1])
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in server.outputs.items()}
    ids = {"bundle_sha256": before.bundle_sha256}
    receipt = ids | {"folder": RunFolder.of(tiny).path.as_posix(), "sha256": hashes}
    server.outputs[RECEIPT] = json.dumps(receipt).encode()
    server.status = "COMPLETE"
    follow(account, before, folder)
    assert is_fetched(folder)
    printed = capsys.readouterr().out
    assert (
        "1 of 2 networks voted: the others were not finished in time. To train the rest here: python -m pipeline run"
        in printed
    )
    assert "--hours" not in printed
    assert "--device" not in printed


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda there: shutil.rmtree(there.members), "it had not finished a network"),
        (lambda there: there.data.unlink(), "it had not finished a network"),
        (lambda there: there.data.write_text("{"), "data.json is damaged"),
        (lambda there: there.data.write_text('{"sha256": "other", "source": "x"}'), "it had not finished a network"),
        (lambda there: [(p / "history.csv").unlink() for p in there.members.iterdir()], "not finished a"),
    ],
)
def test_members_that_cannot_be_verified_are_left(harm, message, server, account, pushed, broken_off):
    before, folder = pushed
    harm(broken_off)
    serve_folder(server, broken_off.path.parents[1])
    with pytest.raises(RunError, match=f"(?s)was cancelled.*Nothing of it could be fetched: .*{message}"):
        follow(account, before, folder)
    assert not folder.members.exists()


def test_another_pushs_members_are_left(server, account, pushed, broken_off):
    before, folder = pushed
    serve_folder(server, broken_off.path.parents[1])
    server.head = server.head.replace(before.bundle_sha256, "0" * 64)
    with pytest.raises(RunError, match="its log does not say that it ran this push"):
        follow(account, replace(before, time="2026-01-01T00:00:00+00:00"), folder)


def test_a_kernel_that_fails_after_its_receipt_is_fetched_whole(server, account, pushed):
    before, folder = pushed
    server.leave_output(before)
    server.status = "ERROR"
    with pytest.raises(RunError, match=f"(?s)failed.*All that it wrote is in {folder.path}"):
        follow(account, before, folder)
    assert is_fetched(folder)


def test_a_kernel_that_others_pushed_is_fetched_by_its_name(server, account, tiny, capsys, monkeypatch):
    """As `kaggle kernels push` sends it, or as somebody changed it in Kaggle's editor."""
    server.runs_kernels = False
    shutil.copy(ROOT / METADATA, METADATA)
    metadata = replace(read_metadata(), id=KERNEL)
    write_bundle(Path("build"), tiny, metadata)
    text = Path("build/kernel.py").read_text().replace('"seeds": 1,', '"seeds": 2,  # more')
    account.save_kernel(Path("build"))
    server.kernel["text"] = text
    pushed, folder = adopt(account, KERNEL)
    assert (pushed.version, folder.read_config()) == (1, replace(tiny, seeds=2, device="gpu"))
    assert adopt(account, KERNEL) == (pushed, folder)
    server.status, server.log = "ERROR", "Traceback\n"
    with pytest.raises(SystemExit):
        main(["fetch", KERNEL])
    (row,) = list_runs()
    assert (row.name, row.state) == (folder.path.name, "at Kaggle: ERROR")
    server.leave_output(pushed)
    main(["fetch", f"https://www.kaggle.com/code/{KERNEL}"])
    assert is_fetched(folder)
    assert find_push(None)[1] == folder


def test_the_output_of_an_edited_kernel_is_not_taken_for_what_was_pushed(server, account, pushed, tiny):
    before, folder = pushed
    edited = replace(tiny, seeds=2)
    server.leave_output(before, also={"config.json": to_json(edited).encode()})
    with pytest.raises(RunError, match=f"CONFIG of {KERNEL} was edited .*a run of its own: .* fetch {KERNEL}"):
        fetch(account, before, folder)
    assert (folder.read_config(), is_fetched(folder)) == (tiny, False)
    server.kernel["text"] = server.kernel["text"].replace('"seeds": 1,', '"seeds": 2,')
    server.version = 2
    again, own = adopt(account, KERNEL)
    fetch(account, again, own)
    assert own.read_config() == edited


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("print('hello')", "is not what `python -m pipeline bundle`"),
        ("IDENTITY = open('/etc/passwd')\nCONFIG = {}", "is not what"),
        ("IDENTITY = {'bundle_sha256': 'x'}\nCONFIG = {}", "is not what"),
        ("(" * 10_000, "is not what"),
        ("IDENTITY = {'bundle_sha256': '" + "0" * 64 + "'}\nCONFIG = {'name': 1}", "is not a run's config"),
    ],
)
def test_a_kernel_that_is_no_bundle_is_not_taken(source, message, server, account):
    server.kernel = {"text": source}
    with pytest.raises(UserError, match=message):
        adopt(account, KERNEL)
    assert not Path("runs").exists()


def test_a_kernels_config_cannot_write_outside_of_the_runs_folder(server, account, tiny):
    text = bundle(tiny)[0]
    server.kernel = {"text": text.replace('"name": "tiny",', '"name": "../../x",')}
    with pytest.raises(UserError, match="name must be .*letters"):
        adopt(account, KERNEL)
    server.kernel = {"text": text.replace('"name": "tiny",', '"name": "tiny",\n    "out": "/tmp/elsewhere",')}
    assert adopt(account, KERNEL)[1].path.parent == Path("runs")


@pytest.mark.parametrize(
    "change",
    [{"kernel": "../x"}, {"bundle_sha256": "7"}, {"time": "soon"}, {"version": "x"}],
)
def test_a_push_record_that_no_push_wrote_is_damaged(change, server, account, pushed):
    _, folder = pushed
    folder.push.write_text(json.dumps(json.loads(folder.push.read_text()) | change))
    with pytest.raises(UserError, match=r"push\.json is damaged"):
        find_push(folder.path)
    assert list_runs()[0].state == "push.json is damaged"


@pytest.mark.parametrize("time", ["2026-11-23", "2999-01-01T00:00:00+00:00"])
def test_whatever_a_push_records_time_says_the_following_ends(time, server, account, pushed, monkeypatch):
    before, folder = pushed
    monkeypatch.setattr(watch_module, "START", 0.5)
    server.faults["GetKernelSessionStatus"] = [404] * 100
    with pytest.raises(UserError, match="Is that the kernel's owner/slug"):
        follow(account, replace(before, time=time), folder)
