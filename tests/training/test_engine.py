"""What any engine is given, and what becomes of members that were finished before."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from stand_in_worker import guess

from pipeline.config.schema import member_specs
from pipeline.records.finished import FinishedMembers
from pipeline.records.members import commit
from pipeline.records.run_folder import RunFolder
from pipeline.training.engine import train_members
from pipeline.training.limits import Limits


class Engine:
    """Trains the first of the members, and fails with the second."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, specs, digits, observer, limits):
        self.given, self.measured = (specs, digits), dict(limits._seconds)
        commit(self.folder.member(specs[0]), guess(specs[0], digits), digits.digest(), Path.touch)
        return {specs[1].id: "it died"}


class Recorder:
    def __init__(self):
        self.warnings = []

    def begin(self, finished, total):
        self.begun = finished, total

    def warn(self, text):
        self.warnings.append(text)


def test_an_engine_gets_what_is_missing_and_no_held_back_labels(tiny, digits, tmp_path):
    digits = replace(digits, held_back_labels=np.arange(30, dtype=np.uint8) % 10)
    folder, observer = RunFolder(tmp_path), Recorder()
    specs = done, damaged, missing, left = member_specs(replace(tiny, seeds=2))
    for spec in (done, damaged):
        member = replace(guess(spec, digits), environment={"device": "a chip", "keras": "2.0"})
        commit(folder.member(spec), member, digits.digest(), Path.touch)
        folder.checkpoints(spec).mkdir(parents=True)
    (folder.member(damaged) / "history.csv").write_text("half")
    engine, limits = Engine(folder), Limits(hours=1)
    members, failed, absent = train_members(
        engine, specs, digits, folder, FinishedMembers(folder, digits.digest()), observer, limits
    )
    specs_given, digits_given = engine.given
    assert specs_given == [damaged, missing, left]
    assert digits_given.held_back_labels is None
    assert digits_given.digest() == digits.digest()
    assert engine.measured == {done.activation: [1.0]}  # so that the hours count from the first member on
    assert observer.begun == ([done], 4)
    assert [path.name for path in folder.all_checkpoints.iterdir()] == [damaged.id]
    assert [member.spec for member in members] == [done, damaged]
    assert failed == {missing.id: "it died"}
    assert list(absent) == [left.id]
    assert "the run's 1 hours" in absent[left.id]
    older, again = observer.warnings
    assert "though trained with keras 2.0 (here 3." in older
    assert older.endswith(done.id)
    assert "history.csv" in again
    assert again.endswith("; it is trained again")
