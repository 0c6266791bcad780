"""Following a kernel: each odd answer where it can come."""

import io
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from kaggle_server import cut_short, refusal, reply

from pipeline.cli import main
from pipeline.config.errors import RunError, UserError
from pipeline.kaggle import waiting
from pipeline.kaggle.watch import log_text, watch
from pipeline.streams import tolerant_output

GOES_ON = "The kernel goes on: .*python -m pipeline fetch"


def test_watch_prints_each_event_once_though_the_stream_breaks(server, account, pushed, capsys):
    server.status, server.log = "RUNNING", "line 1\n"
    server.faults["GetKernelSessionStatus"] = ["slow", 503]

    def go_on(response):
        server.log += "line 2\n"
        server.status = "COMPLETE"
        return response

    server.faults["Logs"] = [500, cut_short(b'data: {"data": "line 1"}\n\n'), go_on]
    watch(account, *pushed)
    printed = capsys.readouterr().out
    assert printed.count("line 1") == printed.count("line 2") == 1
    assert printed.index("RUNNING") < printed.index("line 2") < printed.index("COMPLETE")


def test_watch_gives_up_when_kaggle_stays_silent(server, account, pushed, monkeypatch):
    monkeypatch.setattr(waiting, "MOST_FAILURES", 2)
    server.faults["GetKernelSessionStatus"] = [500] * 6
    with pytest.raises(RunError, match=GOES_ON):
        watch(account, *pushed)


def test_failures_count_in_a_row_only(server, account, pushed, monkeypatch):
    monkeypatch.setattr(waiting, "MOST_FAILURES", 2)
    running = reply({"status": "RUNNING"})
    server.faults["GetKernelSessionStatus"] = [*[500] * 3, running, *[500] * 3, running, *[500] * 3]
    server.faults["Logs"] = [404] * 2
    server.status = "COMPLETE"
    watch(account, *pushed)
    assert server.calls.count("GetKernelSessionStatus") == 12


def test_a_kernel_that_kaggle_does_not_know_in_its_first_minute(server, account, pushed, capsys):
    server.faults["GetKernelSessionStatus"] = [403, 404]
    server.status = "COMPLETE"
    watch(account, *pushed)
    assert "not known to Kaggle yet" in capsys.readouterr().out
    old = replace(pushed[0], time=(datetime.now(UTC) - timedelta(minutes=4)).isoformat())
    server.faults["GetKernelSessionStatus"] = [403]
    with pytest.raises(UserError, match=rf"Is that the kernel's owner/slug.*{GOES_ON}"):
        watch(account, old, pushed[1])


def test_a_status_that_is_new_is_followed_on(server, account, pushed, capsys):
    server.faults["GetKernelSessionStatus"] = [reply({"status": "HIBERNATING"}), reply({"status": None})]
    server.status = "COMPLETE"
    watch(account, *pushed)
    assert "HIBERNATING, which is new to this program; following on" in capsys.readouterr().out


def test_a_refusal_names_how_to_go_on(server, account, pushed):
    server.faults["GetKernelSessionStatus"] = [401]
    with pytest.raises(UserError, match=GOES_ON):
        watch(account, *pushed)


def test_an_interruption_names_how_to_go_on(server, account, pushed, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        watch(account, *pushed)
    assert "To follow it again: python -m pipeline fetch" in capsys.readouterr().out


def test_a_log_that_the_terminal_cannot_show(server, account, pushed, monkeypatch):
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, "ascii"))
    server.status, server.log = "COMPLETE", "accuracy 0.99 \u00b1 0.01 \u2501\u2501 \u2713\n"
    with tolerant_output():
        watch(account, *pushed)
    assert b"accuracy 0.99 +/- 0.01 ?? ?" in terminal.getvalue()


def test_a_log_that_is_odd(server, account, pushed, capsys):
    from werkzeug import Response

    events = 'data: {"data": "a dict"}\n\ndata: 7\n\ndata: not JSON\n\ndata: END_OF_LOG\n\n'
    server.faults["Logs"] = [Response(events, content_type="text/event-stream")]
    server.status = "COMPLETE"
    watch(account, *pushed)
    assert "a dict\n7\nnot JSON\n" in capsys.readouterr().out


def test_stored_logs_are_events_or_text():
    assert log_text('[{"data": "a\\nb"}, {"data": "c\\n"}]') == "a\nbc\n"
    assert log_text("[1]") == "[1]"
    assert log_text("plain\ntext") == "plain\ntext"


def test_the_status_of_the_version_before_is_not_ours(server, account, pushed, capsys):
    """Right after a push Kaggle still says how the version before ended; its log is the earlier one, too."""
    ours, server.head = server.head, "bundle: {'bundle_sha256': 'another'}\n"
    server.status = "ERROR"

    def start(response):
        server.head, server.status = ours, "RUNNING"
        server.faults["Logs"] = [404]
        server.faults["GetKernelSessionStatus"] = [reply({"status": "RUNNING"}), reply({"status": "COMPLETE"})]
        return response

    server.faults["ListKernelSessionOutput"] = [lambda response: response, start]
    assert watch(account, *pushed) == ("COMPLETE", "")
    told = capsys.readouterr().out
    assert [told.count(words) for words in ("version before", "RUNNING", "COMPLETE")] == [1, 1, 1]


@pytest.mark.parametrize(("asked_for", "waited"), [("7", 7), ("4000", 600)])
def test_what_kaggle_asks_for_is_waited_for(asked_for, waited, server, account, pushed, monkeypatch):
    monkeypatch.setattr(waiting, "RETRY_PAUSES", ())
    monkeypatch.setattr(waiting, "LONGEST_BUSY", 600.0)
    sleeps = []
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: sleeps.append(seconds))
    server.faults["GetKernelSessionStatus"] = [refusal(429, **{"Retry-After": asked_for})]
    server.status = "COMPLETE"
    watch(account, *pushed)
    assert max(sleeps) == waited


def test_a_log_cannot_steer_the_terminal(server, account, pushed, capsys):
    server.status, server.log = "ERROR", "\x1b]0;owned\x07\x1b[2J and more\n"
    with pytest.raises(SystemExit):
        main(["fetch", str(pushed[1].path)])
    captured = capsys.readouterr()
    assert "and more" in captured.err
    assert "\x1b" not in captured.out + captured.err
