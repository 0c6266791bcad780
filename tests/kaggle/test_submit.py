"""Submissions against the loopback server: checked, counted, sent once, scored, logged."""

import gzip
import hashlib
import json
import os
import shutil
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories import record_votes
from kaggle_server import KEY, After, redirect, refusal, reply

from pipeline.cli import main
from pipeline.config.errors import RunError, UserError
from pipeline.config.schema import digest
from pipeline.ensemble.submission import keep_copy
from pipeline.kaggle import score
from pipeline.kaggle.submission_log import read_log
from pipeline.kaggle.submit import competition_ids, submit_file, submit_kernel
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import SubmissionRecord, record_submission
from pipeline.runs import list_runs

CSV = Path("mine.csv")
LOG = Path("submissions/log.jsonl")


@pytest.fixture
def mine(account, csv_source, server):
    """Predictions in the working directory, 27 of 30 right; the competition's small data beside them."""
    shutil.copytree(csv_source, "data")
    labels = np.array(server.truth)
    labels[:3] = (labels[:3] + 1) % 10
    pd.DataFrame({"ImageId": np.arange(1, 31), "Label": labels}).to_csv(CSV, index=False)
    return CSV


@pytest.fixture
def a_run(mine, tiny):
    """A run that has recorded its outcome."""
    folder = RunFolder(Path("runs/x"))
    folder.path.mkdir(parents=True)
    shutil.copy(mine, folder.submission)
    folder.write_config(tiny)
    record_votes(folder, 2)
    return folder


def sent(server):
    return server.calls.count("CreateSubmission")


def test_the_ids_are_the_local_datas_or_the_competitions(account, csv_source):
    assert competition_ids().tolist() == list(range(1, 28_001))
    shutil.copytree(csv_source, "data")
    assert competition_ids().tolist() == list(range(1, 31))


def test_a_file_is_sent_scored_and_logged(account, server, mine, capsys):
    entry = submit_file(account, mine, "first try")
    assert (entry.status, entry.score) == ("complete", 0.9)
    assert server.uploads["token0"] == mine.read_bytes()
    (copy,) = Path("submissions").glob("mine-*.csv")
    assert copy.read_bytes() == mine.read_bytes()
    sha256 = hashlib.sha256(mine.read_bytes()).hexdigest()
    assert server.submissions[0]["description"] == f"first try [{sha256[:12]}-{entry.id}]"
    printed = capsys.readouterr().out
    assert printed.index("submissions left today: 5") < printed.index(
        "score: 0.90000; your best is at rank 12 of 1,500"
    )
    assert read_log() == [entry]
    logged = Path("submissions/log.jsonl").read_text()
    assert KEY not in logged + printed
    assert json.loads(logged)["message"] == "first try"


def test_a_copy_that_is_sent_is_not_copied_again(account, server, mine):
    copy = keep_copy(mine.read_bytes(), "earlier")
    assert submit_file(account, copy).status == "complete"
    assert list(Path("submissions").glob("*.csv")) == [copy]


def test_a_run_is_named_by_its_config(account, server, a_run, tiny):
    entry = submit_file(account, a_run.path)
    assert entry.source == "runs/x/submission.csv"
    assert server.submissions[0]["description"].startswith(f"tiny {digest(tiny)[:8]} [")


def test_a_blend_is_sent_only_as_it_was_recorded(account, server, mine, capsys):
    folder = RunFolder(Path("runs/blend-1"))
    folder.path.mkdir(parents=True)
    shutil.copy(mine, folder.submission)
    blend = SubmissionRecord({"a": ["relu-s0"], "b": ["swish-s0"]}, 1, {"a": "x", "b": "y"})
    record_submission(folder, Path(__file__), blend)  # as of an earlier blend
    with pytest.raises(UserError, match=r"submission.csv is not what .*submission.json records"):
        submit_file(account, folder.path)
    assert sent(server) == 0
    record_submission(folder, folder.submission, blend)
    assert submit_file(account, folder.path).score == 0.9
    assert server.submissions[0]["description"].startswith("blend-1 [")
    assert "runs/blend-1 is not complete: 2 of 3 networks voted" in capsys.readouterr().out


def test_the_same_predictions_twice_ask_for_again(account, server, mine):
    submit_file(account, mine)
    other_name = Path(shutil.copy(mine, "other.csv"))
    with pytest.raises(UserError, match=r"were submitted on .* and scored 0.9. .*--again"):
        submit_file(account, other_name)
    assert sent(server) == 1
    submit_file(account, other_name, again=True)
    assert sent(server) == 2
    assert len(read_log()) == 2


def test_what_is_no_submission_is_not_sent(account, server, mine):
    for content, message in (
        ("ImageId,Label\n1,2\n", "expected 30 rows"),
        ("ImageId,Label\n01,2\n", "line 2: expected"),
    ):
        mine.write_text(content)
        with pytest.raises(UserError, match=message):
            submit_file(account, mine)
    with pytest.raises(UserError, match=r"there is no nowhere.csv"):
        submit_file(account, Path("nowhere.csv"))
    assert server.calls == []


def test_when_none_is_left_today_nothing_is_sent(account, server, mine):
    server.left = 0
    message = r"no submission is left today \(5 were made\).*: python -m pipeline submit mine.csv -m 'my best'$"
    with pytest.raises(UserError, match=message):
        submit_file(account, mine, "my best")
    server.version, server.outputs = 3, {"submission.csv": mine.read_bytes()}
    with pytest.raises(UserError, match=r"python -m pipeline submit -k ada/my-kernel -v 3 --again$"):
        submit_kernel(account, "ada/my-kernel", 3, again=True)
    assert sent(server) == 0
    assert read_log() == []


def test_the_bytes_that_were_checked_are_sent_though_the_file_changes_meanwhile(account, server, mine):
    checked = mine.read_bytes()

    def change_it(response):
        mine.write_text("rubbish")
        return response

    server.faults["StartSubmissionUpload"] = [change_it]
    submit_file(account, mine)
    assert server.uploads["token0"] == checked


def test_two_terminals_at_the_same_time_spend_one_submission(account, server, mine):
    """The second waits for the first, then finds that there is nothing left to send."""
    server.faults["StartSubmissionUpload"] = ["slow"]

    def submit(_):
        try:
            return submit_file(account, mine).status
        except UserError as error:  # the first has its score by now
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(submit, range(2)))
    assert "complete" in outcomes
    assert all(outcome == "complete" or "and scored 0.9" in outcome for outcome in outcomes)
    assert len(server.submissions) == len(read_log()) == 1


def test_a_deleted_log_does_not_forget_what_kaggle_knows(account, server, mine):
    submit_file(account, mine)
    for i in range(20):  # and it is not on the first page
        server.submissions.insert(0, {"ref": 100 + i, "description": f"other {i}", "status": "PENDING"})
    LOG.unlink()
    other_name = Path(shutil.copy(mine, "other.csv"))
    entry = submit_file(account, other_name)
    assert (entry.status, entry.score, entry.message) == ("complete", 0.9, "mine")
    assert sent(server) == 1
    with pytest.raises(UserError, match="were submitted on 2026-11-23T10:00:00.* and scored 0.9"):
        submit_file(account, mine)
    assert list_runs()[0].score == "0.90000 Kaggle"


def test_what_kaggle_took_is_never_sent_again_though_its_list_lags(account, server, mine, monkeypatch):
    monkeypatch.setattr(score, "PATIENCE", 0.2)
    server.faults["ListSubmissions"] = [reply({})] * 1000
    message = r"no score .* in this account's list.* --again .* costs nothing: python -m pipeline submit mine.csv$"
    with pytest.raises(RunError, match=message):
        submit_file(account, mine)
    with pytest.raises(RunError, match="no score after"):
        submit_file(account, mine)
    server.faults["ListSubmissions"] = []
    assert submit_file(account, mine).score == 0.9
    assert sent(server) == 1


@pytest.mark.parametrize("fault", [[500] * 3, [refusal(429, **{"Retry-After": "4000"})]])
def test_waiting_for_the_score_survives_what_following_a_kernel_does(fault, account, server, mine):
    server.faults["ListSubmissions"] = [reply({}), *fault]
    assert submit_file(account, mine).score == 0.9


def test_an_interrupted_wait_says_how_to_go_on(account, server, mine, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    server.faults["ListSubmissions"] = [reply({}), reply({})]
    monkeypatch.setattr(score.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        submit_file(account, mine)
    assert (
        "mine.csv is sent. To see its score, which costs nothing: python -m pipeline submit mine.csv"
        in capsys.readouterr().out
    )


def test_a_run_whose_config_was_changed_since_is_not_sent_under_the_new_name(account, server, a_run, tiny, capsys):
    a_run.write_config(replace(tiny, name="better", seeds=3))  # as a command does that is stopped before it finishes
    with pytest.raises(UserError, match="config.json was changed since .*submission.csv was written"):
        submit_file(account, a_run.path)
    a_run.write_config(tiny)
    changed = a_run.submission.read_bytes()
    a_run.submission.write_bytes(changed[:-2] + (b"0" if changed[-2:-1] != b"0" else b"1") + b"\n")
    with pytest.raises(UserError, match="submission.csv is not what .*submission.json records: it was changed since"):
        submit_file(account, a_run.path)
    a_run.submission.write_bytes(changed)
    a_run.submission_record.write_text("[")
    with pytest.raises(UserError, match="submission.json is damaged"):
        submit_file(account, a_run.path)
    assert server.calls == []
    record_votes(a_run, 1, missing=1)
    assert submit_file(account, a_run.path).score == 0.9
    assert "runs/x is not complete: 1 of 2 networks voted" in capsys.readouterr().out


ELSEWHERE = redirect("http://elsewhere.test/CreateSubmission")  # what another host says does not count


@pytest.mark.parametrize("fault", [After(504), lambda _: ELSEWHERE])
def test_after_a_lost_answer_it_looks_before_it_believes_in_failure(fault, account, server, mine, capsys):
    server.faults["CreateSubmission"] = [fault]
    assert submit_file(account, mine).score == 0.9
    assert sent(server) == len(server.submissions) == 1
    assert "looking whether it arrived all the same" in capsys.readouterr().out


@pytest.mark.parametrize("fault", [503, ELSEWHERE, reply({})])
def test_a_submission_that_never_arrived_is_sent_by_the_next_command_only(fault, account, server, mine):
    server.faults["CreateSubmission"] = [fault]
    with pytest.raises(RunError, match="not in Kaggle's list yet.*Rerun the same command: it looks first"):
        submit_file(account, mine)
    assert (sent(server), [e.status for e in read_log()]) == (1, ["sending"])
    assert submit_file(account, mine).score == 0.9
    assert (len(server.submissions), [e.status for e in read_log()]) == (1, ["lost", "complete"])


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("fault", [[reply({})] * 3, [503] * 9])
def test_a_submission_that_turned_up_late_is_not_sent_again(fault, again, account, server, mine):
    """The answer is lost, and the list does not have it yet, or does not come; with --again, too."""
    if again:
        submit_file(account, mine)
    before = sent(server)

    def lost(_):
        server.faults["ListSubmissions"] = [*fault]
        return refusal(504)

    server.faults["CreateSubmission"] = [lost]
    with pytest.raises(RunError, match="It may have arrived all the same. Rerun the same command: it looks first"):
        submit_file(account, mine, again=again)
    server.faults["ListSubmissions"] = []
    entry = read_log()[-1]
    assert submit_file(account, mine, again=again).id == entry.id
    assert sent(server) == len(server.submissions) == before + 1
    if again:  # that one is settled
        assert submit_file(account, mine, again=True).id != entry.id


ODD = {
    "GetSubmissionLimits": [{"numAllowedNow": None}, {"numAllowedNow": "5", "numToday": 0}],
    "ListSubmissions": [{"submissions": [{"status": 5, "description": 7}]}, {"submissions": 3}, {"submissions": [3]}],
}


@pytest.mark.parametrize(("rpc", "content"), [(rpc, content) for rpc, contents in ODD.items() for content in contents])
def test_answers_of_odd_types_are_explained_and_send_nothing(rpc, content, account, server, mine):
    server.faults[rpc] = [reply(content)] * 9
    with suppress(UserError, RunError):
        submit_file(account, mine)
    server.faults[rpc] = []
    submit_file(account, mine)
    assert sent(server) == 1


@pytest.mark.parametrize("rank", [{"userRank": "12"}, {"userRank": 12, "teamCount": [5]}])
def test_a_score_counts_though_the_rank_is_odd(rank, account, server, mine, capsys):
    server.faults["GetCompetition"] = [reply(rank)] * 9
    assert submit_file(account, mine).status == "complete"
    assert "the rank is not known" in capsys.readouterr().out


@pytest.mark.parametrize("error", [5, "\ud800", "\x1b[2J"])
def test_whatever_kaggle_says_of_a_failure_the_log_can_be_read(error, account, server, mine, capsys):
    server.faults["CreateSubmission"] = [lambda answer: server.submissions[0].update(errorDescription=error) or answer]
    server.truth.append(0)
    with pytest.raises(RunError, match="Kaggle could not score"):
        submit_file(account, mine)
    assert read_log()[0].status == "error"
    assert "WARNING" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [(["-k", "", "-v", "3"], "owner/slug. Received: ''"), (["-k", "ada/x", "-v", "0"], "versions begin at 1")],
)
def test_a_kernel_that_is_none_is_not_another_submission(words, message, account, server, a_run, capsys):
    with pytest.raises(SystemExit):
        main(["submit", *words])
    assert message in capsys.readouterr().err
    assert sent(server) == 0


def test_an_interrupted_submission_does_not_say_to_give_the_same_command(account, server, mine, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    server.faults["ListSubmissions"] = [reply({}), reply({})]
    monkeypatch.setattr(score.time, "sleep", interrupted)
    with pytest.raises(SystemExit):
        main(["submit", str(mine), "--again"])
    captured = capsys.readouterr()
    assert "costs nothing: python -m pipeline submit mine.csv\n" in captured.out
    assert captured.err.endswith("\ninterrupted\n")


@pytest.mark.parametrize(
    ("rpc", "fault", "kind", "message"),
    [
        ("GetSubmissionLimits", 403, UserError, "accept its rules at"),
        ("Upload", 403, UserError, "uploading the submission: Kaggle answered 403"),
        ("CreateSubmission", refusal(429, **{"Retry-After": "60"}), RunError, "try again in 60 s"),
        ("CreateSubmission", refusal(400, "You have no submissions left"), RunError, "You have no submissions left"),
    ],
)
def test_a_refused_submission_costs_nothing_and_can_be_repeated(rpc, fault, kind, message, account, server, mine):
    server.faults[rpc] = [fault]
    with pytest.raises(kind, match=message):
        submit_file(account, mine)
    assert all(entry.status == "lost" for entry in read_log())
    assert submit_file(account, mine).score == 0.9
    assert len(server.submissions) == 1


@pytest.mark.parametrize("rpc", ["StartSubmissionUpload", "Upload"])
def test_what_may_happen_twice_is_tried_again(rpc, account, server, mine):
    server.faults[rpc] = [503, "slow"]
    assert submit_file(account, mine).score == 0.9
    assert len(server.submissions) == 1


def test_an_upload_that_never_works_submits_nothing(account, server, mine):
    server.faults["Upload"] = [503] * 3
    with pytest.raises(RunError, match="Nothing was submitted"):
        submit_file(account, mine)
    assert sent(server) == 0


def test_an_unscorable_file_is_told_with_kaggles_reason(account, server, mine):
    server.truth = server.truth[:20]
    with pytest.raises(RunError, match="could not score mine.csv: Submission must have 30 rows"):
        submit_file(account, mine)
    assert [(e.status, e.error) for e in read_log()] == [("error", "Submission must have 30 rows")]


@pytest.mark.parametrize("score", [{"status": "RESCORING"}, {"publicScore": "None"}, {"publicScore": "nan"}])
def test_a_score_that_comes_after_the_status_or_after_a_new_one_is_waited_for(score, account, server, mine):
    def without_score(response):
        (found,) = response.get_json()["submissions"]
        return reply({"submissions": [found | {"publicScore": ""} | score]})

    server.faults["ListSubmissions"] = [reply({}), without_score]
    assert submit_file(account, mine).score == 0.9
    assert server.faults["ListSubmissions"] == []


def test_a_score_without_a_rank(account, server, mine, capsys):
    server.faults["GetCompetition"] = [404]
    assert submit_file(account, mine).score == 0.9
    assert "score: 0.90000; the rank is not known (the rank: Kaggle answered 404" in capsys.readouterr().out


def test_a_kernels_version_is_checked_and_submitted(account, server, mine):
    server.version, server.outputs = 3, {"submission.csv": mine.read_bytes()}
    entry = submit_kernel(account, "ada/my-kernel", 3)
    assert (entry.source, entry.score) == ("ada/my-kernel version 3", 0.9)
    (copy,) = Path("submissions").glob("*.csv")
    assert copy.name.startswith("my-kernel-v3-")
    assert copy.read_bytes() == mine.read_bytes()
    asked = dict(server.requests)["CreateCodeSubmission"]
    assert (asked["kernelOwner"], asked["kernelSlug"], asked["kernelVersion"]) == ("ada", "my-kernel", 3)
    with pytest.raises(UserError, match="ada/my-kernel version 3.*--again"):
        submit_file(account, mine)
    with pytest.raises(UserError, match="Is there a submission.csv in the output of that version"):
        submit_kernel(account, "ada/my-kernel", 2)
    server.outputs = {"submission.csv": b"ImageId,Label\n1,2\n"}
    with pytest.raises(UserError, match="expected 30 rows"):
        submit_kernel(account, "ada/my-kernel", 3)
    assert len(server.submissions) == 1


@pytest.mark.parametrize("fault", [404, "address"])
def test_a_refused_upload_shows_neither_key_nor_signed_address(fault, account, server, mine):
    if fault == "address":  # of a host that cannot be reached
        answer = reply({"token": "t", "createUrl": "https://blobs.test/upload/t?signature=s3cret"})
        server.faults["StartSubmissionUpload"] = [answer]
    else:
        words = f"no {KEY} at http://blobs.test/upload/t?signature=s3cret&x=1"
        server.faults["Upload"] = [refusal(fault, words)]
    with pytest.raises((UserError, RunError), match="uploading the submission: ") as caught:
        submit_file(account, mine)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown
    assert "s3cret" not in shown
    assert sent(server) == 0


def test_the_command_that_shows_the_score_does_not_send_again(account, server, mine, monkeypatch):
    submit_file(account, mine)
    monkeypatch.setattr(score, "PATIENCE", 0.1)
    server.faults["ListSubmissions"] = [reply({})] * 100
    with pytest.raises(RunError, match=r"costs nothing: python -m pipeline submit mine.csv$"):
        submit_file(account, mine, again=True)


def test_an_archive_is_named(account, server, mine):
    Path("mine.csv.gz").write_bytes(gzip.compress(mine.read_bytes()))
    with pytest.raises(UserError, match="mine.csv.gz is an archive. Unpack it, and name the CSV"):
        submit_file(account, Path("mine.csv.gz"))
    assert server.calls == []


def test_one_digit_for_all_images_is_not_sent(account, server, mine):
    mine.write_text("ImageId,Label\n" + "".join(f"{i},7\n" for i in range(1, 31)))
    with pytest.raises(UserError, match="every image is given the digit 7"):
        submit_file(account, mine, again=True)
    server.version, server.outputs = 3, {"submission.csv": mine.read_bytes()}
    with pytest.raises(UserError, match="every image is given the digit 7"):
        submit_kernel(account, "ada/my-kernel", 3)
    assert sent(server) == 0
    mine.write_text(mine.read_text().replace("\n30,7", "\n30,1"))
    assert submit_file(account, mine).status == "complete"


@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9.csv"), "esc\x1b[2J.csv"])
def test_any_name_can_be_sent_logged_and_listed(name, account, server, mine, capsys):
    odd = Path(shutil.copy(mine, name))
    assert submit_file(account, odd).score == 0.9
    with pytest.raises(UserError, match="and scored 0.9"):
        submit_file(account, odd)
    assert list_runs()[0].score == "0.90000 Kaggle"
    assert "\x1b" not in capsys.readouterr().out + read_log()[0].source
