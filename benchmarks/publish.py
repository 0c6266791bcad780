"""What is published of a finished run: how it was trained, and the digits that it predicts, but no weights."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import tyro

from benchmarks.screening import finished_members
from pipeline.config.config_json import to_json
from pipeline.config.errors import UserError
from pipeline.ensemble.submission import SUBMISSION_COLUMNS
from pipeline.records.atomic import atomic_replace
from pipeline.records.run_folder import RunFolder


@dataclass(frozen=True)
class Publish:
    """Copy a finished run's config, metrics and environment, and the digits that its networks predict.

    predicted.npz holds uint8 arrays of shape (m,), in the order of the test images: one for each network, by its id,
    and `vote`, which is the submission.
    """

    folder: tyro.conf.Positional[Path]
    """The run's folder."""
    out: Annotated[Path, tyro.conf.arg(name="out")]
    """Where to put the record."""

    def run(self) -> None:
        """Read the members, then write all files.

        Raises:
            UserError: the folder holds no finished run.
        """
        config, members = finished_members(self.folder)
        run, there = RunFolder(self.folder), RunFolder(self.out)
        if not run.submission.exists():
            raise UserError(f"{self.folder} is not finished: {run.submission} is missing. Give its command again.")
        predicted = {member.spec.id: member.test_probabilities.argmax(axis=1) for _, member in members}
        predicted["vote"] = pd.read_csv(run.submission)[SUBMISSION_COLUMNS[1]].to_numpy()

        self.out.mkdir(parents=True, exist_ok=True)
        with atomic_replace(there.config) as temporary:
            temporary.write_text(to_json(replace(config, data="auto", out=None)))
        for source, target in ((run.metrics, there.metrics), (run.environment, there.environment)):
            with atomic_replace(target) as temporary:
                shutil.copyfile(source, temporary)
        with atomic_replace(self.out / "predicted.npz") as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **{name: digits.astype(np.uint8) for name, digits in predicted.items()})
        print(f"written: {self.out}, {len(members)} networks and their vote on {len(predicted['vote']):,} images")
