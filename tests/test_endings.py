"""Whatever ends a run keeps what is finished: whole runs whose members are guessed by stand-in workers."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from stand_in_worker import guess, plan_faults, stand_in

from pipeline.cli import main as cli
from pipeline.commands import Run
from pipeline.config.errors import RunError
from pipeline.config.schema import member_specs
from pipeline.data.digits import load
from pipeline.data.submission_file import check_submission
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record
from pipeline.report import page
from pipeline.run import main

FIRST_OF_SECOND_PAIR = "relu-s1-f0"


@pytest.fixture
def config(tiny, csv_source, tmp_path, monkeypatch):
    """Two pairs: relu-s0-f0, swish-s0-f0, relu-s1-f0, swish-s1-f0."""
    stand_in(monkeypatch)
    monkeypatch.setattr(page, "_pictures", lambda *_: {})  # seconds each, and of no interest here
    monkeypatch.chdir(tmp_path)
    return replace(tiny, seeds=2, data=str(csv_source), out=str(tmp_path / "run"))


@pytest.fixture
def folder(config):
    """The run's folder, as one that a run has worked in, so that faults can be planned there."""
    folder = RunFolder.of(config)
    folder.path.mkdir()
    folder.lock.touch()
    return folder


def vote_of(config, count):
    """The labels that the first members vote for."""
    digits = load(config.data)
    votes = [guess(spec, digits).test_probabilities for spec in member_specs(config)[:count]]
    return np.mean(votes, axis=0, dtype=np.float64).argmax(axis=1).tolist()


def labels(folder):
    check_submission(folder.submission, np.arange(1, 31))
    return pd.read_csv(folder.submission)["Label"].tolist()


def main_is_killed(config, by=signal.SIGKILL):
    if not (child := os.fork()):
        signal.alarm(120)
        main(config)
        os._exit(0)  # not reached
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -by


def goes_on_to_the_whole_vote(config, folder):
    plan_faults(folder.path, capacity=1)
    assert main(config).stopped == ""
    assert labels(folder) == vote_of(config, 4)
    assert not read_submission_record(folder).missing
    assert "Partial" not in folder.report.read_text()


def test_asked_to_stop_it_votes_with_what_is_finished_and_the_same_command_goes_on(config, folder, capsys):
    plan_faults(folder.path, {"how": "ask_the_run_to_stop", "member": "swish-s1-f0"}, capacity=1)
    before = signal.getsignal(signal.SIGTERM)
    ending = main(config)
    assert ending.stopped.startswith("Partial: 1 of 4 networks are missing (swish-s1-f0): the run was asked to stop")
    assert signal.getsignal(signal.SIGTERM) == before
    assert labels(folder) == vote_of(config, 3)
    record = read_submission_record(folder)
    assert (record.voters, record.missing, record.incomplete) == (3, 1, "3 of 4 networks voted")
    assert "Partial: 1 of 4 networks" in folder.report.read_text()
    assert "WARNING: Partial: 1 of 4" in capsys.readouterr().out
    goes_on_to_the_whole_vote(config, folder)


def test_asked_to_stop_before_any_member_is_finished_it_invents_nothing(config, folder):
    plan_faults(folder.path, {"how": "ask_the_run_to_stop", "member": "relu-s0-f0"}, capacity=1)
    with pytest.raises(RunError, match=r"(?s)no network could be trained.*relu-s0-f0: the run was asked to stop"):
        main(config)
    assert not folder.submission.exists()
    goes_on_to_the_whole_vote(config, folder)


def test_the_command_that_was_asked_to_stop_exits_with_143(config, folder, capsys, monkeypatch):
    plan_faults(folder.path, {"how": "ask_the_run_to_stop", "member": FIRST_OF_SECOND_PAIR}, capacity=1)
    monkeypatch.setattr("pipeline.cli.read", lambda *_: Run(config))
    with pytest.raises(SystemExit) as caught:
        cli(["run"])
    assert caught.value.code == 143
    assert "stopped: Partial: 2 of 4 networks are missing" in capsys.readouterr().err


def test_killed_it_leaves_the_vote_of_the_whole_pairs(config, folder):
    plan_faults(folder.path, {"how": "kill_the_run", "member": "swish-s1-f0"}, capacity=1)
    main_is_killed(config)
    assert labels(folder) == vote_of(config, 2)  # the third member is finished, but its partner is not
    record = read_submission_record(folder)
    assert (record.voters, record.missing) == (2, 2)
    (folder.path / "members" / ".swish-s1-f0.1.part").mkdir()
    (folder.path / ".report.html.1.part").write_text("half")
    goes_on_to_the_whole_vote(config, folder)
    assert not list(folder.path.rglob("*.part"))


def test_hours_leave_out_what_would_not_end_in_time(config, folder, capsys):
    plan_faults(folder.path, capacity=1, seconds=500.0)  # a member of 3 epochs takes 25 minutes
    begun = folder.checkpoints(member_specs(config)[1])  # and two more of its epochs 17
    begun.mkdir(parents=True)
    (begun / "epoch-0001.npz").touch()
    assert main(replace(config, hours=0.4)).stopped == ""
    assert labels(folder) == vote_of(config, 2)
    printed = " ".join(capsys.readouterr().out.split())
    assert "Partial: 2 of 4 networks are missing (relu-s1-f0, swish-s1-f0)" in printed
    assert "within the run's 0.4 hours. Rerun the same command to continue." in printed
    assert "Next, train what is missing (finished networks are kept): python -m pipeline run " in printed
    assert read_submission_record(folder).missing
    goes_on_to_the_whole_vote(config, folder)


def test_a_worker_whose_replacement_dies_at_its_start_does_not_hide_the_vote(config, folder):
    """As when the environment was changed meanwhile."""
    faults = {"how": "crash", "member": FIRST_OF_SECOND_PAIR}, {"how": "error", "when": "start", "after": "fault-0-0"}
    plan_faults(folder.path, *faults, capacity=1)
    main(config)
    assert labels(folder) == vote_of(config, 2)
    assert "no worker is left" in folder.report.read_text()
    goes_on_to_the_whole_vote(config, folder)


def test_a_provisional_vote_does_not_replace_one_of_more_members(config, folder):
    """One member fails in a finished run; while it is tried again, the vote of the others stays."""
    plan_faults(folder.path, {"how": "crash", "member": "swish-s1-f0"}, capacity=1)
    main(config)
    assert labels(folder) == vote_of(config, 3)
    plan_faults(folder.path, {"how": "kill_the_run", "member": "swish-s1-f0"}, capacity=1)
    for mark in folder.path.glob("fault-*"):
        mark.unlink()
    main_is_killed(config)
    assert labels(folder) == vote_of(config, 3)


def test_sigterm_at_the_last_moment_does_not_cost_the_copy_of_the_submission(config, folder, tmp_path, monkeypatch):
    plan_faults(folder.path, capacity=1)
    monkeypatch.setattr("pipeline.run.run_screen", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    main_is_killed(config, by=signal.SIGTERM)
    (copy,) = (tmp_path / "submissions").glob("*.csv")
    assert copy.read_bytes() == folder.submission.read_bytes()


def test_ctrl_c_while_the_command_still_loads_is_no_traceback():
    early = (
        "import os, runpy, signal, sys\n"
        "class Early:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'pipeline.cli': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Early())\n"
        "runpy.run_module('pipeline', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", early], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "\ninterrupted\n")
