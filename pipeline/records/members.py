"""A finished member: one shape in memory, one folder on disk, committed in one rename and checked by hash.

members/<id>/ holds member.json (spec, digests, hashes of the other files), history.csv, the validation rows and
probabilities and the test probabilities as .npy, and model.keras.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import MemberSpec, digest
from pipeline.network.curves import ActivationCurve
from pipeline.records.atomic import atomic_replace, file_sha256

MANIFEST = "member.json"
ARRAYS = ("validation_rows", "validation_probabilities", "test_probabilities")
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
    activations: Sequence[ActivationCurve]
    """Its activations, in the order of the layers."""
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
        _write_table(temporary / "history.csv", member.history)
        for name in ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(member, name), allow_pickle=False)
        save_model(temporary / "model.keras")
        manifest = {
            "spec": asdict(member.spec),
            "spec_digest": digest(member.spec),
            "data_digest": data_digest,
            "environment": member.environment,
            "fingerprints": member.fingerprints,
            "activations": [asdict(curve) for curve in member.activations],
            "sha256": {path.name: file_sha256(path) for path in sorted(temporary.iterdir())},
        }
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


class DamagedMemberError(Exception):
    """The files of a member are not those that were committed."""


def commit_files(folder: Path, files: Mapping[str, bytes], spec: MemberSpec, data_digest: str) -> None:
    """Write a member that another machine committed to a temporary folder and rename it to `folder`.

    Args:
        folder: members/<id> of the run.
        files: The content of the member's files, by name.
        spec: Which member it must be.
        data_digest: `Digits.digest` of what it must have been trained on.

    Raises:
        DamagedMemberError: it is another member, or not whole.
    """
    with atomic_replace(folder) as temporary:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        if reason := invalid_reason(temporary, spec, data_digest):
            raise DamagedMemberError(reason)


def invalid_reason(folder: Path, spec: MemberSpec, data_digest: str) -> str | None:
    """Why a folder is not this member, finished and whole; None when it is."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["spec_digest"] != digest(spec) or manifest["data_digest"] != data_digest:
            return f"{folder} was trained with another config or data"
        for name, expected in manifest["sha256"].items():
            if file_sha256(folder / name) != expected:
                return f"{folder / name} is not what was committed (its hash differs)"
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder / MANIFEST} is damaged ({error})"
    return None


def read_member(folder: Path, spec: MemberSpec) -> Member:
    """Read a member that `invalid_reason` found nothing wrong with."""
    manifest = json.loads((folder / MANIFEST).read_text())
    return Member(
        spec=spec,
        history=_read_history(folder / "history.csv"),
        environment=manifest["environment"],
        fingerprints=manifest["fingerprints"],
        activations=[ActivationCurve(**curve) for curve in manifest["activations"]],
        **{name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS},
    )


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
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _read_history(path: Path) -> History:
    with path.open(newline="") as stream:
        return [{name: float(text) for name, text in record.items()} for record in csv.DictReader(stream)]
