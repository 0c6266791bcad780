"""The words that the screen and the page share."""

import numpy as np
import pytest

from pipeline.report.readings import Readings
from pipeline.report.summary import _hardest
from pipeline.report.words import duration


def readings(truth, guesses):
    nothing = np.zeros((0, 28, 28), np.uint8)
    return Readings(
        "held-back", "ImageId", np.arange(len(truth)), nothing, np.array(truth, np.uint8), {}, np.eye(10)[guesses]
    )


@pytest.mark.parametrize(
    ("truth", "guesses", "words"),
    [
        ([1, 2], [1, 2], "No digit is misread."),
        ([1, 2], [7, 2], "Hardest: 1, 1 wrong."),  # one mistake of a kind is no habit
        ([8, 8, 8, 4, 4], [3, 3, 3, 9, 9], "Hardest: 8, 3 wrong. Most often an 8 is read as 3, a 4 is read as 9."),
        ([5, 5, 6, 6], [6, 6, 0, 1], "Hardest: 5 and 6, 2 wrong each. Most often a 5 is read as 6."),
    ],
)
def test_the_hardest_digits_are_named(truth, guesses, words):
    assert _hardest(readings(truth, guesses)) == words


@pytest.mark.parametrize(("seconds", "words"), [(90, "90 s"), (182, "3 min"), (7400, "2 h 3 min")])
def test_durations_have_two_units_at_most(seconds, words):
    assert duration(seconds) == words
