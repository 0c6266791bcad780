from dataclasses import replace

from pipeline.config.schema import member_specs
from pipeline.training.limits import Limits
from pipeline.training.queue import MemberQueue


def queue_of(specs, limits, epochs_done=0):
    return MemberQueue(specs, limits, lambda spec: epochs_done, observer=None)


def test_members_are_handed_out_in_their_order_and_after_all_once_more(tiny):
    specs = member_specs(replace(tiny, seeds=2))
    queue = queue_of(specs, Limits())
    first = queue.take()
    assert queue.try_again(first, counts=False)
    assert [queue.take() for _ in specs] == [*specs[1:], first]
    assert queue.try_again(first, counts=True)
    assert queue.take() == first
    assert not queue.try_again(first, counts=True)
    assert queue.take() is None
    assert len(queue) == 0


def test_what_would_not_end_in_time_is_passed_over(tiny):
    limits = Limits(hours=0.01)  # 36 seconds
    relu, swish = specs = member_specs(tiny)  # of 3 epochs
    for spec, seconds in ((relu, 13.0), (swish, 5.0)):
        limits.measure(spec, seconds)
    assert queue_of(specs, limits).take() == swish
    assert queue_of(specs, limits, epochs_done=1).take() == relu
