"""A fault at every write of a run whose members are finished, and at every write of a member: old or new, never half.

See `faults`: each operation fails once, and once the process is killed right before it.
"""

import shutil
from dataclasses import replace

import pytest
from factories import damage
from faults import FINISHED, each_fault, run_with_fault
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

NOT_THE_RUNS = (".lock", ".owner.json")

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kills", [False, True])]


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
    monkeypatch.setattr(page, "_pictures", lambda *_: {})
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


def test_a_fault_at_every_write_of_a_run(kills, extended, tmp_path, monkeypatch):
    old, work = contents(tmp_path / "old"), tmp_path / "run"
    monkeypatch.setattr("pipeline.cli.read", lambda *_: Run(replace(extended, out="run")))
    for module, name in ((run, "load"), (run, "data_warnings"), (run, "compare"), (page, "render_report")):
        once(monkeypatch, module, name)  # none of them writes

    def prepare():
        shutil.rmtree("run", ignore_errors=True)
        shutil.rmtree("submissions", ignore_errors=True)
        shutil.copytree("old", "run")

    def again():
        cli(["run"])

    prepare()
    again()
    new = contents(work)
    changed = {name for name in new if old.get(name) != new[name]}
    assert changed == {
        "config.json",
        "submission.csv",
        "comparison.json",
        "metrics.csv",
        "report.html",
        "submission.json",
    }

    def check(code):
        now = contents(work)
        if code == FINISHED:  # making a folder that exists may fail
            assert without_time(now) == without_time(new)
        for name, content in now.items():
            assert content in (old.get(name), new.get(name)) or name == "submission.json", name
        assert now.keys() >= old.keys()
        if now["submission.csv"] != new["submission.csv"]:
            assert recorded_voters(RunFolder(work)) in (0, 2)
        assert run_with_fault(again, work, 0, kills=False)[0] == FINISHED
        assert without_time(contents(work)) == without_time(new)
        assert recorded_voters(RunFolder(work)) == 4
        assert not list(work.rglob("*.part"))

    each_fault(prepare, again, check, kills, work)


def test_a_fault_at_every_write_of_a_member(kills, spec, digits, tmp_path):
    folder, member = RunFolder(tmp_path), guess(spec, digits)

    def write():
        commit(folder.member(spec), member, "data", lambda path: path.write_bytes(b"network"))

    def check(code):
        whole = damage(folder.member(spec), spec, "data") is None
        assert whole or (code != FINISHED and not folder.member(spec).exists())
        write()
        assert damage(folder.member(spec), spec, "data") is None

    each_fault(lambda: shutil.rmtree(folder.members, ignore_errors=True), write, check, kills, tmp_path)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_fault_while_something_is_replaced(kind, kills, tmp_path):
    target = tmp_path / "x"

    def put(text):
        with atomic_replace(target) as temporary:
            if kind == "folder":
                temporary.mkdir()
                temporary = temporary / "y"
            temporary.write_text(text)

    def read():
        return (target / "y" if kind == "folder" else target).read_text()

    def prepare():
        for left in tmp_path.glob(".x.*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        put("old")

    def check(code):
        # A folder cannot be replaced in one step: killed between two, it is aside, and nowhere half.
        if target.exists():
            assert read() in ("old", "new")
        else:
            assert (kind, kills) == ("folder", True)
            assert any((aside / "y").read_text() == "old" for aside in tmp_path.glob("*.old.part"))

    each_fault(prepare, lambda: put("new"), check, kills, tmp_path)
