"""Following a kernel: once one that really runs and breaks, then each fault where it can happen."""

import shutil
import threading
import time

import pytest
from conftest import ROOT
from kaggle_server import cut_short

from pipeline.config.errors import RunError
from pipeline.kaggle import watch as module
from pipeline.kaggle.fetch import is_fetched
from pipeline.kaggle.metadata import METADATA
from pipeline.kaggle.push import push
from pipeline.kaggle.watch import watch


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
    monkeypatch.setattr(module, "MOST_FAILURES", 2)
    server.faults["GetKernelSessionStatus"] = [500] * 6
    with pytest.raises(RunError, match="The kernel goes on: .*python -m pipeline fetch"):
        watch(account, pushed[0])


def test_a_cancelled_kernel(server, account, pushed):
    server.status, server.log = "CANCEL_ACKNOWLEDGED", "half way\n"
    with pytest.raises(RunError, match="(?s)was cancelled: by hand, or at Kaggle's time limit.*half way"):
        watch(account, pushed[0])
