import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from conftest import ROOT

from pipeline.config.schema import member_specs
from pipeline.training.limits import Limits, stopped_by_sigterm


@pytest.fixture
def specs(tiny):
    """Members of 3 epochs: relu, swish, elu."""
    return member_specs(replace(tiny, arms=("relu", "swish", "elu")))


def test_hours_or_a_request_end_it(specs):
    limits = Limits()
    assert not limits.over
    assert (limits.seconds_left, limits.reason) == (float("inf"), "")
    limits.stop()
    assert limits.over
    assert not limits.allow(specs[0], 0)
    assert "SIGTERM" in limits.reason
    assert 35 < Limits(hours=0.01).seconds_left <= 36
    assert Limits(hours=1e-12).over
    assert "the run's 0.01 hours" in Limits(hours=0.01).reason


def test_a_member_is_allowed_by_the_seconds_of_its_own_activation_else_of_the_slowest(specs):
    relu, swish, elu = specs
    limits = Limits(hours=0.01)  # 36 seconds, and a tenth of what was measured is kept in hand
    assert limits.allow(relu, 0)  # nothing is known
    for seconds in (99.0, 10.5, 10.5, 10.5):  # the latest 3 count: 34.65 seconds for a member
        limits.measure(relu, seconds)
    assert limits.allow(relu, 0)
    limits.measure(swish, 11.5)  # 37.95
    assert not limits.allow(swish, 0)
    assert limits.allow(swish, 1)
    assert not limits.allow(elu, 0)
    assert Limits().allow(elu, 0)


def test_sigterm_is_a_request_and_then_what_it_was():
    limits, received = Limits(), []
    before = signal.signal(signal.SIGTERM, lambda *_: received.append("SIGTERM"))
    try:
        with stopped_by_sigterm(limits):
            os.kill(os.getpid(), signal.SIGTERM)
            assert limits.stopped
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == ["SIGTERM"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_second_sigterm_ends_at_once():
    code = (
        "import os, signal\nfrom pipeline.training.limits import Limits, stopped_by_sigterm\n"
        "with stopped_by_sigterm(Limits()):\n"
        "    os.kill(os.getpid(), signal.SIGTERM); print('first', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM); print('second', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "first\n")
