import numpy as np
import pytest

from benchmarks.families import told
from benchmarks.quick import FOLD, NEIGHBOURS, accuracy_of, timed
from benchmarks.screening import Setting
from pipeline.cli import read
from pipeline.config.errors import RunError
from pipeline.config.rules import validate


def test_accuracies_are_of_single_networks_and_of_their_vote():
    errors = np.zeros((200, 2), bool)
    errors[:6, 0] = errors[4:8, 1] = True
    arms, rows = ("relu", "swish"), np.arange(200)
    setting = Setting("x", arms, rows, {}, errors, 0.1 * errors, errors.all(axis=1))
    assert accuracy_of(setting) == {"single": 0.975, "vote": 0.99, "vote's errors": 2, "of": 200}


def test_a_command_that_fails_is_shown_with_its_words(tmp_path):
    with pytest.raises(RunError, match=r"run quick --data nowhere.zip .* failed:\n(?s:.*)nowhere.zip"):
        timed(["--data", "nowhere.zip", "--out", str(tmp_path)])


@pytest.mark.parametrize("flags", [(), *NEIGHBOURS.values()])
def test_what_is_timed_can_be_trained(flags):
    validate(read("run", ["quick", *FOLD, *flags]).config)


def test_a_change_has_the_standard_error_of_images_not_of_networks():
    """Two networks, four images: differences 1, 0.5, 0, 0 by image; by hand their mean 0.375 and sd 0.4787 / 2."""
    ours = [np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])]
    theirs = [np.array([0, 0, 0, 0]), np.array([0, 0, 1, 0])]
    assert told(ours, theirs, 4, 3) == "+1.500 ± 0.957"
