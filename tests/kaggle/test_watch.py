"""Following a kernel: each odd answer where it can come."""

import io
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from kaggle_server import cut_short, refusal, reply

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle import watch as module
from pipeline.kaggle.watch import KernelFailedError, log_lines, watch
from pipeline.streams import tolerant_output

GOES_ON = "The kernel goes on: .*python -m pipeline fetch"


def when(condition, act):
    """Do something as soon as the server has come so far."""

    def wait():
        while not condition():
            time.sleep(0.01)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_watch_prints_each_event_once_though_the_stream_breaks(server, account, pushed, capsys):
    server.status, server.log = "RUNNING", "line 1\n"
    server.faults["Logs"] = [500, cut_short(b'data: {"data": "line 1"}\n\n')]
    server.faults["GetKernelSessionStatus"] = ["slow", 503]

    def go_on():
        server.log += "line 2\n"
        server.status = "COMPLETE"

    when(lambda: server.calls.count("Logs") == 3, go_on)
    watch(account, pushed[0])
    printed = capsys.readouterr().out
    assert printed.count("line 1") == printed.count("line 2") == 1
    assert printed.index("RUNNING") < printed.index("line 2") < printed.index("COMPLETE")


def test_watch_gives_up_when_kaggle_stays_silent(server, account, pushed, monkeypatch):
    monkeypatch.setattr(module, "MOST_FAILURES", 2)
    server.faults["GetKernelSessionStatus"] = [500] * 6
    with pytest.raises(RunError, match=GOES_ON):
        watch(account, pushed[0])


def test_failures_count_in_a_row_only(server, account, pushed, monkeypatch):
    monkeypatch.setattr(module, "MOST_FAILURES", 2)
    running = reply({"status": "RUNNING"})
    server.faults["GetKernelSessionStatus"] = [*[500] * 3, running, *[500] * 3, running, *[500] * 3]
    server.faults["Logs"] = [404] * 2
    server.status = "COMPLETE"
    watch(account, pushed[0])
    assert server.calls.count("GetKernelSessionStatus") == 12


def test_too_many_requests_are_waited_for(server, account, pushed, monkeypatch, capsys):
    """Four times, in each of which the retries give up at once: longer than they may wait."""
    monkeypatch.setattr(module, "LONGEST_BUSY", 0.01)
    server.faults["GetKernelSessionStatus"] = [refusal(429, **{"Retry-After": "4000"})] * 4
    server.status = "COMPLETE"
    watch(account, pushed[0])
    assert capsys.readouterr().out.count("Kaggle answered 429") == 4


@pytest.mark.parametrize("status", [403, 404])
def test_a_kernel_that_kaggle_does_not_know_in_its_first_minute(status, server, account, pushed, capsys):
    server.faults["GetKernelSessionStatus"] = [status, status]
    server.status = "COMPLETE"
    watch(account, pushed[0])
    assert "not known to Kaggle yet" in capsys.readouterr().out
    old = replace(pushed[0], time=(datetime.now(UTC) - timedelta(minutes=3)).isoformat())
    server.faults["GetKernelSessionStatus"] = [status]
    with pytest.raises(UserError, match=rf"Is that the kernel's owner/slug.*{GOES_ON}"):
        watch(account, old)


def test_a_status_that_is_new_is_followed_on(server, account, pushed, capsys):
    server.faults["GetKernelSessionStatus"] = [reply({"status": "HIBERNATING"}), reply({"status": None})]
    server.status = "COMPLETE"
    watch(account, pushed[0])
    assert "HIBERNATING, which is new to this program; following on" in capsys.readouterr().out


@pytest.mark.parametrize("fault", [401, refusal(400, "what is this?")])
def test_every_refusal_names_how_to_go_on(fault, server, account, pushed):
    server.faults["GetKernelSessionStatus"] = [fault]
    with pytest.raises((UserError, RunError), match=GOES_ON):
        watch(account, pushed[0])


def test_an_interruption_names_how_to_go_on(server, account, pushed, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        watch(account, pushed[0])
    assert "To follow it again: python -m pipeline fetch" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_log_that_the_terminal_cannot_show(encoding, server, account, pushed, monkeypatch):
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding))
    server.status, server.log = "COMPLETE", "accuracy 0.99 \u00b1 0.01 \u2501\u2501 \u2713\n"
    with tolerant_output():
        watch(account, pushed[0])
    told = terminal.getvalue().decode(encoding)
    assert f"accuracy 0.99 {'+/-' if encoding == 'ascii' else chr(0xB1)} 0.01 ?? ?" in told


def test_a_log_that_is_odd(server, account, pushed, capsys):
    from werkzeug import Response

    events = 'data: {"data": "a dict"}\n\ndata: 7\n\ndata: not JSON\n\ndata: END_OF_LOG\n\n'
    server.faults["Logs"] = [Response(events, content_type="text/event-stream")]
    server.status = "COMPLETE"
    watch(account, pushed[0])
    assert "a dict\n7\nnot JSON\n" in capsys.readouterr().out


def test_a_cancelled_kernel(server, account, pushed):
    server.status, server.log = "CANCEL_ACKNOWLEDGED", "half way\n"
    with pytest.raises(KernelFailedError, match="(?s)was cancelled: by hand, or at Kaggle's time limit.*half way"):
        watch(account, pushed[0])


def test_stored_logs_are_events_or_text():
    assert log_lines('[{"data": "a\\nb"}, {"data": "c\\n"}]') == ["a\n", "bc\n"]
    assert log_lines("[1]") == ["[1]"]
    assert log_lines("plain\ntext") == ["plain\n", "text"]
