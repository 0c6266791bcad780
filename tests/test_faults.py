"""A fault at every write of a run whose members are finished, and at every write of a member: old or new, never half.

Each k-th file operation fails once as on a full disk, and once the process is killed right before it. An audit hook
sees every opening for writing, renaming, making and removing, in a child that is forked for each of them.
"""

import errno
import os
import shutil
import sys
from dataclasses import replace

import pytest
from factories import damage
from stand_in_worker import guess, plan_faults, stand_in

from pipeline import run
from pipeline.cli import main as cli
from pipeline.commands import Run
from pipeline.config.schema import member_specs
from pipeline.data.digits import load
from pipeline.records.atomic import atomic_replace
from pipeline.records.members import commit
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import recorded_voters
from pipeline.report import page

NEED_ROOM, NEED_NONE = ("os.rename", "os.mkdir"), ("os.remove", "os.rmdir")
KILLED = 137
NOT_THE_RUNS = (".lock", ".owner.json")

pytestmark = pytest.mark.slow


def fails_at(count, kill):
    """From now on, the count-th file operation of this process fails; 0: none does."""
    seen = 0

    def hook(event, arguments):
        nonlocal seen
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not (opened or event in NEED_ROOM or (kill and event in NEED_NONE)) or str(arguments[0]) == os.devnull:
            return
        seen += 1
        if seen == count:
            if kill:
                os._exit(KILLED)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

    sys.addaudithook(hook)
    return lambda: seen


def in_child(act, count=0, kill=False):
    """Exit code of what is done in a forked child whose count-th file operation fails; and how many there were."""
    read, write = os.pipe()
    if not (child := os.fork()):
        code = 99
        try:
            seen = fails_at(count, kill)
            act()
            os.write(write, str(seen()).encode())
            code = 0
        except SystemExit as end:
            code = end.code
        finally:
            os._exit(code)
    os.close(write)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(read) as stream:
        return code, int(stream.read() or 0)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NOT_THE_RUNS and ".part" not in path.as_posix()
    }


def without_time(files):
    return {name: content for name, content in files.items() if name != "submission.json"}


def once(monkeypatch, module, name):
    """Have a function computed once, for this process and its children."""
    function, results = getattr(module, name), []

    def remembered(*arguments):
        if not results:
            results.append(function(*arguments))
        return results[0]

    monkeypatch.setattr(module, name, remembered)


@pytest.fixture
def extended(tiny, csv_source, tmp_path, monkeypatch):
    """A run that was finished with one seed, and whose members of a second seed are trained too; its config."""
    stand_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "_plots", lambda *_: {})
    config = replace(tiny, data=str(csv_source), out="old")
    folder = RunFolder.of(config)
    folder.path.mkdir()
    folder.lock.touch()
    plan_faults(folder.path, capacity=1)
    run.main(config)
    digits = load(config.data)
    config = replace(config, seeds=2)
    for spec in member_specs(config)[2:]:
        commit(folder.member(spec), guess(spec, digits), digits.digest(), lambda path: path.write_bytes(b"network"))
    return config


def test_a_fault_at_every_write_of_a_run(extended, tmp_path, monkeypatch):
    old = contents(tmp_path / "old")
    shutil.copytree("old", "new")
    monkeypatch.setattr("pipeline.cli.read", lambda *_: Run(replace(extended, out="run")))
    for module, name in ((run, "load"), (run, "data_warnings"), (run, "compare"), (page, "render_report")):
        once(monkeypatch, module, name)  # none of them writes

    def again():
        cli(["run"])

    shutil.copytree("old", "run")
    again()
    new = contents(tmp_path / "run")
    shutil.rmtree("run")
    shutil.copytree("old", "run")
    assert in_child(again)[0] == 0
    assert without_time(contents(tmp_path / "run")) == without_time(new)
    changed = {name for name in new if old.get(name) != new[name]}
    assert changed == {
        "config.json",
        "submission.csv",
        "comparison.json",
        "metrics.csv",
        "report.html",
        "submission.json",
    }

    for kill in (False, True):
        _, operations = in_child(again, kill=kill)
        assert operations > 30
        for count in range(1, operations + 1):
            shutil.rmtree("run")
            shutil.rmtree("submissions", ignore_errors=True)
            shutil.copytree("old", "run")
            code, _ = in_child(again, count, kill)
            now = contents(tmp_path / "run")
            where = f"operation {count}, {'killed' if kill else 'disk full'}"
            if code == 0:  # making a folder that exists may fail
                assert without_time(now) == without_time(new), where
            else:
                assert code == KILLED if kill else code in (1, 2), where
            for name, content in now.items():
                assert content in (old.get(name), new.get(name)) or name == "submission.json", f"{where}: {name}"
            assert now.keys() >= old.keys(), where
            if now["submission.csv"] != new["submission.csv"]:
                assert recorded_voters(RunFolder(tmp_path / "run")) in (0, 2), where
            code, _ = in_child(again)
            assert code == 0, where
            assert without_time(contents(tmp_path / "run")) == without_time(new), where
            assert recorded_voters(RunFolder(tmp_path / "run")) == 4, where
            assert not list(tmp_path.rglob("run/**/*.part")), where


@pytest.mark.parametrize("kill", [False, True])
def test_a_fault_at_every_write_of_a_member(kill, spec, digits, tmp_path):
    folder, member = RunFolder(tmp_path), guess(spec, digits)

    def write():
        commit(folder.member(spec), member, "data", lambda path: path.write_bytes(b"network"))

    _, operations = in_child(write, kill=kill)
    assert operations > 10
    for count in range(1, operations + 1):
        shutil.rmtree(folder.members)
        code, _ = in_child(write, count, kill)
        assert code != 0
        assert damage(folder.member(spec), spec, "data") is None or not folder.member(spec).exists()
        write()
        assert damage(folder.member(spec), spec, "data") is None


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_fault_while_something_is_replaced(kind, kill, tmp_path):
    target = tmp_path / "x"

    def put(text):
        with atomic_replace(target) as temporary:
            if kind == "folder":
                temporary.mkdir()
                temporary = temporary / "y"
            temporary.write_text(text)

    def read():
        return (target / "y" if kind == "folder" else target).read_text()

    put("old")
    _, operations = in_child(lambda: put("old"), kill=kill)
    for count in range(1, operations + 1):
        in_child(lambda: put("new"), count, kill)
        # A folder cannot be replaced in one step: killed between two, it is aside, and nowhere half.
        if target.exists():
            assert read() in ("old", "new")
        else:
            assert (kind, kill) == ("folder", True)
            assert any((aside / "y").read_text() == "old" for aside in tmp_path.glob("*.old.part"))
        for left in tmp_path.glob(".x.*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        put("old")
