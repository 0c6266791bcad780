"""A finished member: one shape in memory, one folder on disk, committed in one rename and checked by hash.

members/<id>/ holds member.json (spec, digests, hashes of the other files), history.csv, the validation rows and
probabilities and the test probabilities as .npy, and model.keras.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import MemberSpec, digest
from pipeline.data.digits import CLASSES
from pipeline.records.atomic import atomic_replace, file_sha256
from pipeline.records.readers import DamagedError, array_in, damage_named, read_bytes, read_sealed, sealed

MANIFEST = "member.json"
HISTORY, NETWORK = "history.csv", "model.keras"
ARRAYS = ("validation_rows", "validation_probabilities", "test_probabilities")
READ = (HISTORY, *(f"{name}.npy" for name in ARRAYS))
FILES = (*READ, NETWORK)  # beside the manifest, which has their hashes
History = list[dict[str, float]]  # one dict per finished epoch


@dataclass(frozen=True)
class Member:
    """A finished member."""

    spec: MemberSpec
    history: History
    validation_rows: NDArray[np.int64]
    """Labelled rows it did not train on, ascending, shape (v,); empty when it trained on all."""
    validation_probabilities: NDArray[np.float32]
    """Shape (v, 10)."""
    test_probabilities: NDArray[np.float32]
    """Shape (m, 10)."""
    environment: dict[str, str]
    """Versions, hardware and precision it was trained with."""
    fingerprints: dict[str, str]
    """SHA-256 of what it shares with the other arms of its seed and fold: rows, draws, initial_weights, dropout."""
    label: str | None = None
    """What it is compared as where its activation alone does not tell: an activation of one of several runs."""

    @property
    def arm(self) -> str:
        """What it is compared as: its label, or its activation."""
        return self.label or self.spec.activation

    @property
    def seconds_per_epoch(self) -> list[float]:
        """Wall seconds of its epochs. The first pays for compilation and is left out where there are others."""
        seconds = [record["seconds"] for record in self.history]
        return seconds[1:] or seconds


def group_by_arm(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Members by arm, in the order in which the arms first appear."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(member.arm, []).append(member)
    return groups


def commit(folder: Path, member: Member, data_digest: str, save_model: Callable[[Path], None]) -> None:
    """Write a finished member to a temporary folder and rename it to `folder`.

    Args:
        folder: members/<id> of the run.
        member: What to write.
        data_digest: `Digits.digest` of what it was trained on.
        save_model: Writes the network to the path it is given.
    """
    with atomic_replace(folder) as temporary:
        temporary.mkdir(parents=True)
        _write_table(temporary / HISTORY, member.history)
        for name in ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(member, name), allow_pickle=False)
        save_model(temporary / NETWORK)
        manifest = {
            "spec": asdict(member.spec),
            "spec_digest": digest(member.spec),
            "data_digest": data_digest,
            "environment": member.environment,
            "fingerprints": member.fingerprints,
            "sha256": {name: file_sha256(temporary / name) for name in FILES},
        }
        (temporary / MANIFEST).write_text(json.dumps(sealed(manifest), indent=2) + "\n")


def commit_files(folder: Path, files: Mapping[str, bytes], spec: MemberSpec, data_digest: str) -> None:
    """Write a member that another machine committed to a temporary folder and rename it to `folder`.

    Args:
        folder: members/<id> of the run.
        files: The content of the member's files, by name.
        spec: Which member it must be.
        data_digest: `Digits.digest` of what it must have been trained on.

    Raises:
        DamagedError: it is another member, or not whole.
    """
    with atomic_replace(folder) as temporary:
        temporary.mkdir(parents=True)
        for name in {MANIFEST, *FILES} & files.keys():
            (temporary / name).write_bytes(files[name])
        read_member(temporary, spec, data_digest)


def read_member(folder: Path, spec: MemberSpec, data_digest: str) -> Member:
    """Read a finished member, and check all of it.

    Args:
        folder: members/<id> of the run.
        spec: Which member it must be.
        data_digest: `Digits.digest` of what it must have been trained on.

    Raises:
        DamagedError: it is not there, another one, or not what was committed; or its probabilities are none.
    """
    try:
        with damage_named(folder / MANIFEST):
            manifest = read_sealed(folder / MANIFEST)
            if manifest["spec_digest"] != digest(spec) or manifest["data_digest"] != data_digest:
                raise DamagedError(f"{folder} was trained with another config or data")
            hashes: dict[str, str] = manifest["sha256"]
            if set(hashes) != {*FILES}:
                raise ValueError(f"it names other files than {', '.join(FILES)}")
            content = {name: read_bytes(folder / name) for name in READ}
            found = {name: hashlib.sha256(content[name]).hexdigest() for name in READ}
            with damage_named(folder / NETWORK):
                found[NETWORK] = file_sha256(folder / NETWORK)
            if differs := [name for name in FILES if hashes[name] != found[name]]:
                raise DamagedError(f"{folder / differs[0]} is not what was committed (its hash differs)")
            arrays: dict[str, Any] = {name: array_in(content[f"{name}.npy"]) for name in ARRAYS}
            member = Member(
                spec=spec,
                history=_read_history(content[HISTORY].decode()),
                environment=manifest["environment"],
                fingerprints=manifest["fingerprints"],
                **arrays,
            )
    except FileNotFoundError as error:
        raise DamagedError(f"{error.filename} is missing") from None
    if fault := probability_fault(member):
        raise DamagedError(f"{folder}: {fault}")
    return member


def probability_fault(member: Member) -> str | None:
    """Why a member's probabilities cannot be judged or vote; None if they can."""
    rows = member.validation_rows
    if rows.ndim != 1 or member.validation_probabilities.shape != (len(rows), CLASSES):
        return f"its validation probabilities have shape {member.validation_probabilities.shape}"
    if member.test_probabilities.shape[1:] != (CLASSES,):
        return f"its test probabilities have shape {member.test_probabilities.shape}"
    for probabilities in (member.validation_probabilities, member.test_probabilities):
        if not np.isfinite(probabilities).all():
            return "some of its probabilities are no finite numbers"
    return None


def write_metrics(path: Path, members: Sequence[Member]) -> None:
    """Write the histories of members as one CSV: a line per epoch, beginning with arm, seed and fold."""
    _write_table(
        path,
        [
            {"arm": m.arm, "seed": m.spec.seed, "fold": "none" if m.spec.fold is None else m.spec.fold, **record}
            for m in members
            for record in m.history
        ],
    )


def _write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")  # as git keeps it on every machine
        writer.writeheader()
        writer.writerows(rows)


def _read_history(text: str) -> History:
    return [{name: float(number) for name, number in record.items()} for record in csv.DictReader(io.StringIO(text))]
