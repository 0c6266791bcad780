"""Runs on disk whose members guess."""

import json
from pathlib import Path

import numpy as np
import pytest
from factories import make_member

from pipeline.config.config_json import to_json
from pipeline.config.schema import member_specs
from pipeline.data.folds import split_rows
from pipeline.records import opened_runs
from pipeline.records.members import commit


@pytest.fixture
def make_run(digits, monkeypatch, tmp_path):
    """A function that writes a run's folder; loading finds the small digits.

    Its members guess at random, but those of the `right` arms know their validation rows.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(opened_runs, "load", lambda where: digits)

    def make(config, *without, right=()):
        folder = tmp_path / f"{config.name}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "config.json").write_text(to_json(config))
        (folder / "data.json").write_text(json.dumps({"sha256": digits.digest(), "source": "a test"}))
        for index, spec in enumerate(member_specs(config)):
            if spec.id in without:
                continue
            generator = np.random.default_rng(index)
            _, rows = split_rows(spec, digits)
            shared = dict.fromkeys(("rows", "draws", "initial_weights"), f"{spec.seed} {spec.fold}")
            guesses, known = generator.dirichlet(np.ones(10), len(rows)), np.eye(10)[digits.labels[rows]]
            epochs = range(1, spec.recipe.train.epochs + 1)
            history = [{"epoch": e, "loss": 1.0, "validation_accuracy": 0.5, "seconds": 1.0} for e in epochs]
            member = make_member(
                spec,
                spec.activation,
                spec.seed,
                spec.fold,
                rows=rows,
                validation=known if spec.activation in right else guesses,
                test=generator.dirichlet(np.ones(10), 30),
                history=history,
                fingerprints=shared,
            )
            commit(folder / "members" / spec.id, member, digits.digest(), Path.touch)
        return folder

    return make
