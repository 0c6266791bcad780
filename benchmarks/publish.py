"""What is published of a finished run or blend: how it was made, and the digits that it predicts, but no weights."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import tyro
from numpy.typing import NDArray

from pipeline.config.config_json import to_json
from pipeline.config.errors import UserError
from pipeline.config.places import CHOOSE_ANOTHER, make_folder
from pipeline.data.submission_file import SUBMISSION_COLUMNS
from pipeline.kaggle.submit import config_of
from pipeline.records.atomic import atomic_replace, file_sha256
from pipeline.records.opened_runs import open_run, read_run
from pipeline.records.run_folder import RunFolder


@dataclass(frozen=True)
class Publish:
    """Copy the records of a finished run or blend, and the digits that it predicts.

    A run's records are its config, metrics and environment; a blend's is submission.json. predicted.npz holds uint8
    arrays of shape (m,), in the order of the test images: `vote`, which is the submission, and each network of a run,
    by its id.
    """

    folder: tyro.conf.Positional[Path]
    """The folder of the run or blend."""
    out: Annotated[Path, tyro.conf.arg(name="out")]
    """Where to put them."""

    def run(self) -> None:
        """Read everything, then write all files.

        Raises:
            UserError: the folder holds no finished run and no blend, or its submission was changed since.
        """
        run = RunFolder(self.folder)
        if self.out.resolve() == run.path.resolve():
            raise UserError(f"--out must be another folder than the run's. Received: {self.out}")
        if run.path.is_dir() and not run.submission.exists():
            raise UserError(f"{run.path} is not finished: {run.submission} is missing. Give its command again.")
        record = run.submission_record
        records, predicted = ({record.name: record.read_text()}, {}) if run.is_blend else _of_run(run)
        config_of(run, file_sha256(run.submission))  # refuses what was changed since
        predicted["vote"] = pd.read_csv(run.submission)[SUBMISSION_COLUMNS[1]].to_numpy()
        arrays: dict[str, Any] = {name: digits.astype(np.uint8) for name, digits in predicted.items()}

        make_folder(self.out, CHOOSE_ANOTHER)
        for name, text in records.items():
            with atomic_replace(self.out / name) as temporary:
                temporary.write_text(text)
        with atomic_replace(self.out / "predicted.npz") as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        print(f"written: {self.out}, digits of {len(arrays['vote']):,} images by {', '.join(arrays)}")


def _of_run(run: RunFolder) -> tuple[dict[str, str], dict[str, NDArray[np.integer]]]:
    """A finished run's records, by the file's name, and the digits that each network predicts.

    Raises:
        UserError: the folder holds no finished run.
    """
    opened = open_run(run)
    members, missing = read_run(opened)
    if missing:
        raise UserError(f"{run.path} is not finished: {missing[0]}. Give its command again.")
    records = {
        run.config.name: to_json(replace(opened.config, data="auto", out=None)),
        run.metrics.name: run.metrics.read_text(),
        run.environment.name: run.environment.read_text(),
    }
    return records, {member.spec.id: member.test_probabilities.argmax(axis=1) for member in members}
