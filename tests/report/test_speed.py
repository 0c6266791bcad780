import pytest

from pipeline.report.speed import Speed
from pipeline.training.messages import Progress


def report(epoch, seconds=None, steps=30):
    record = {"epoch": epoch, "seconds": seconds} if seconds else None
    return Progress(epoch, steps if seconds else 1, steps, 0.5, 0.9, record)


def test_speed_and_end_follow_from_the_epochs_after_the_first():
    speed = Speed(members=5, epochs=4)
    for member in ("a", "b"):
        speed.take_in(member, report(1), 20)
        speed.take_in(member, report(1, 60.0), 20)
        assert speed.images_per_second is speed.seconds_left is None
    speed.take_in("a", report(2, 2.0), 20)
    assert speed.images_per_second == pytest.approx(2 * 30 * 20 / 2)
    assert speed.seconds_left == pytest.approx((20 - 3) * 2 / 2)
    speed.take_in("b", report(2, 4.0), 20)
    assert speed.images_per_second == pytest.approx(300 + 150)
    assert speed.seconds_left == pytest.approx((20 - 4) * 3 / 2)


def test_a_finished_member_makes_room_for_the_next():
    speed = Speed(members=2, epochs=2)
    for epoch in (1, 2):
        speed.take_in("a", report(epoch, 5.0), 20)
    assert speed.seconds_left == pytest.approx(2 * 5)
    speed.take_in("b", report(2), 20)  # resumed from its first epoch
    assert speed.seconds_left == pytest.approx(1 * 5)
    assert speed.images_per_second == pytest.approx(120)


def test_of_a_single_epoch_there_is_no_later_one():
    speed = Speed(members=3, epochs=1)
    speed.take_in("a", report(1, 6.0), 10)
    assert (speed.images_per_second, speed.seconds_left) == (pytest.approx(50), pytest.approx(12))
