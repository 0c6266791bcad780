from dataclasses import replace

import numpy as np
import pytest
from factories import make_member

from pipeline.config.schema import member_specs
from pipeline.ensemble.provisional import ProvisionalVote
from pipeline.records.finished import FinishedMembers
from pipeline.records.members import commit
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import read_submission_record


class View:
    """Whoever would show the progress; keeps the warnings."""

    def __init__(self):
        self.warnings = []

    def begin(self, finished, total):
        pass

    def finished(self, spec):
        pass

    def failed(self, spec, reason):
        self.warnings.append(f"{spec.id} failed: {reason}")

    def warn(self, text):
        self.warnings.append(text)


@pytest.fixture
def config(tiny):
    return replace(tiny, seeds=2, folds_used=2)


@pytest.fixture
def vote(config, digits, tmp_path):
    """A provisional vote, and a function that finishes a member whose every guess is a digit, or damages it."""
    folder, published = RunFolder(tmp_path), []
    folder.write_config(config)
    observer = ProvisionalVote(
        View(), folder, config, digits, FinishedMembers(folder, "data"), lambda _: published.append(voters())
    )

    def voters():
        return read_submission_record(folder).members[config.name]

    def finish(name, guess=lambda: np.arange(30) % 10, damage=False):
        (spec,) = [spec for spec in member_specs(config) if spec.id == name]
        test = np.eye(10)[guess()]
        member = make_member(spec, spec.activation, spec.seed, spec.fold, test=test, history=[{"epoch": 1}])
        commit(folder.member(spec), member, "data", lambda path: path.write_bytes(b"network"))
        if damage:
            (folder.member(spec) / "model.keras").write_bytes(b"n")
        observer.finished(spec)

    return observer, published, finish


def test_a_pair_is_all_arms_of_one_seed_and_fold(vote):
    _, published, finish = vote
    for name in ("relu-s0-f0", "swish-s0-f1", "swish-s1-f0"):
        finish(name)
    assert published == []
    finish("swish-s0-f0")
    finish("relu-s1-f1")
    finish("relu-s0-f1")
    assert published == [["relu-s0-f0", "swish-s0-f0"], ["relu-s0-f0", "swish-s0-f0", "relu-s0-f1", "swish-s0-f1"]]


def test_all_finished_members_vote_at_the_beginning_of_a_run_and_the_vote_of_all_is_the_runs_own(vote, config):
    observer, published, finish = vote
    specs = member_specs(config)
    for spec in specs[:4]:
        finish(spec.id)
    published.clear()
    observer.folder.submission.unlink()
    again = replace(observer)
    again.begin(specs[:4], len(specs))
    assert published == [[spec.id for spec in specs[:4]]]
    published.clear()
    for spec in specs[4:]:
        finish(spec.id)
    assert all(len(voters) < len(specs) for voters in published)


def test_a_vote_under_another_config_does_not_count(vote, config):
    observer, published, finish = vote
    specs = member_specs(config)
    for spec in specs[:4]:
        finish(spec.id)
    published.clear()
    observer.folder.write_config(replace(config, seeds=3))  # the run is extended
    replace(observer).begin(specs[:4], len(specs))
    assert published == [[spec.id for spec in specs[:4]]]


def test_one_digit_for_all_images_is_never_published_and_a_damaged_member_does_not_vote(vote):
    observer, published, finish = vote
    finish("relu-s0-f0", lambda: np.full(30, 7))
    finish("swish-s0-f0", lambda: np.full(30, 7))
    finish("relu-s0-f1")
    finish("swish-s0-f1", damage=True)
    assert published == []
    (warning,) = observer.view.warnings
    assert "model.keras is not what was committed" in warning
    finish("relu-s1-f0")
    finish("swish-s1-f0")
    assert published == [["relu-s0-f0", "swish-s0-f0", "relu-s1-f0", "swish-s1-f0"]]
