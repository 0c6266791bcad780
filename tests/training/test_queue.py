from dataclasses import replace

import pytest

from pipeline.config.schema import member_specs
from pipeline.training.limits import Limits
from pipeline.training.queue import MemberQueue


@pytest.fixture
def specs(tiny):
    return member_specs(replace(tiny, arms=("relu", "swish"), seeds=2))


def queue_of(specs, limits=None):
    return MemberQueue(specs, limits or Limits(), lambda spec: 0, observer=None)


def test_members_are_handed_out_in_their_order(specs):
    queue = queue_of(specs)
    assert [queue.take(0, {0, 1}) for _ in range(5)] == [*specs, None]
    assert len(queue) == 0


def test_an_interrupted_member_is_the_next(specs):
    queue = queue_of(specs)
    first = queue.take(0, {0})
    queue.put_back(first)
    assert [queue.take(0, {0}) for _ in specs] == specs


def test_a_member_that_died_on_a_device_waits_for_another_but_not_for_ever(specs):
    queue = queue_of(specs[:2])
    first = queue.take(0, {0, 1})
    assert queue.try_again(first, 0)
    assert queue.take(0, {0, 1}) == specs[1]
    assert queue.take(0, {0, 1}) is None
    assert queue.take(1, {0, 1}) == first
    queue.put_back(first)
    assert queue.take(0, {0}) == first  # the other device is gone
    assert not queue.try_again(first, 0)
    assert len(queue) == 0


def test_what_would_not_end_in_time_is_passed_over(specs):
    limits = Limits(hours=0.01)  # 36 seconds
    relu, swish = specs[:2]  # of 3 epochs
    for spec, seconds in ((relu, 13.0), (swish, 5.0)):
        limits.measure(spec, seconds)
    queue = queue_of(specs, limits)
    assert queue.take(0, {0}) == swish
    nearly_done = MemberQueue(specs, limits, lambda spec: 1, observer=None)
    assert nearly_done.take(0, {0}) == relu
