"""What is published of a finished run: how it was trained, and the digits that it predicts, but no weights."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import tyro

from pipeline.config.config_json import to_json
from pipeline.config.errors import UserError
from pipeline.config.schema import member_specs
from pipeline.ensemble.submission import SUBMISSION_COLUMNS
from pipeline.records.atomic import atomic_replace
from pipeline.records.members import read_member
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
        run = RunFolder(self.folder)
        try:
            config = run.read_config()
        except OSError as error:
            raise UserError(f"{self.folder} is no run's folder: {error.filename} cannot be read.") from None
        specs = member_specs(config)
        if missing := [spec.id for spec in specs if not run.member(spec).exists()]:
            raise UserError(f"{self.folder} is not finished: {missing[0]} is missing. Give its command again.")
        predicted = {spec.id: read_member(run.member(spec), spec).test_probabilities.argmax(axis=1) for spec in specs}
        predicted["vote"] = pd.read_csv(run.submission)[SUBMISSION_COLUMNS[1]].to_numpy()

        self.out.mkdir(parents=True, exist_ok=True)
        there = RunFolder(self.out)
        with atomic_replace(there.config) as temporary:
            temporary.write_text(to_json(replace(config, data="auto", out=None)))
        for source, target in ((run.metrics, there.metrics), (run.environment, there.environment)):
            with atomic_replace(target) as temporary:
                shutil.copyfile(source, temporary)
        with atomic_replace(self.out / "predicted.npz") as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **{name: digits.astype(np.uint8) for name, digits in predicted.items()})
        print(f"written: {self.out}, {len(specs)} networks and their vote on {len(predicted['vote']):,} images")
