import numpy as np
import pytest

from benchmarks.quick import FOLD, NEIGHBOURS, accuracy_of, timed
from pipeline.cli import read
from pipeline.compare import compare_runs
from pipeline.config.errors import RunError
from pipeline.config.rules import validate


def test_accuracies_are_of_single_networks_and_of_their_vote(make_run, tiny):
    run = make_run(tiny, right=("relu",))
    found = accuracy_of(compare_runs([run]).path)
    swish = np.load(run / "members/swish-s0-f0/validation_probabilities.npy").argmax(axis=1)
    relu = np.load(run / "members/relu-s0-f0/validation_probabilities.npy").argmax(axis=1)
    assert found["single"] == pytest.approx(1 - (swish != relu).mean() / 2)  # relu knows them all
    assert (found["of"], found["vote"]) == (20, 1 - found["vote's errors"] / 20)


def test_a_command_that_fails_is_shown_with_its_words(tmp_path):
    with pytest.raises(RunError, match=r"run quick --data nowhere.zip .* failed:\n(?s:.*)nowhere.zip"):
        timed(["--data", "nowhere.zip", "--out", str(tmp_path)])


@pytest.mark.parametrize("flags", [(), *NEIGHBOURS.values()])
def test_what_is_timed_can_be_trained(flags):
    validate(read("run", ["quick", *FOLD, *flags]).config)
