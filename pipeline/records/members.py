"""A finished member as a folder: committed in one rename, checked by hash when it is read.

members/<id>/ holds member.json (spec, digests, hashes of the other files), history.csv, the validation rows and
probabilities and the test probabilities as .npy, and model.keras.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import MemberSpec, digest
from pipeline.network.curves import ActivationCurve
from pipeline.records.atomic import atomic_replace, file_sha256

MANIFEST = "member.json"
History = list[dict[str, float]]  # one dict per finished epoch


@dataclass(frozen=True)
class Member:
    """A finished member, read back from its folder."""

    spec: MemberSpec
    history: History
    validation_rows: NDArray[np.int64]
    """Labelled rows it did not train on, shape (v,)."""
    validation_probabilities: NDArray[np.float32]
    """Shape (v, 10)."""
    test_probabilities: NDArray[np.float32]
    """Shape (m, 10)."""
    environment: dict[str, str]
    """Versions and hardware it was trained with."""
    fingerprints: dict[str, str]
    """SHA-256 of what it shares with the other arms of its seed and fold: rows, draws, initial_weights."""
    activations: list[ActivationCurve]
    """Its activations, in the order of the layers."""
    arm: str
    """What it is compared as: its activation, or that of one of several runs."""

    @property
    def seconds_per_epoch(self) -> list[float]:
        """Wall seconds of its epochs, but for the first, which pays for compilation, where there are others."""
        seconds = [record["seconds"] for record in self.history]
        return seconds[1:] or seconds


def commit(
    folder: Path,
    spec: MemberSpec,
    data_digest: str,
    environment: dict[str, str],
    fingerprints: dict[str, str],
    activations: Sequence[ActivationCurve],
    history: History,
    arrays: dict[str, Any],
    save_model: Callable[[Path], None],
) -> None:
    """Write a finished member's folder temporary and rename it to `folder`.

    Args:
        folder: members/<id> of the run.
        spec: What was trained.
        data_digest: `Digits.digest` of what it was trained on.
        environment: Versions and hardware.
        fingerprints: As in `Member`, as are the next two.
        activations: The network's.
        history: One dict per epoch.
        arrays: The three arrays of `Member`, by field name.
        save_model: Writes the network to the path it is given.
    """
    with atomic_replace(folder) as temporary:
        temporary.mkdir(parents=True)
        _write_table(temporary / "history.csv", history)
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        save_model(temporary / "model.keras")
        manifest = {
            "spec": asdict(spec),
            "spec_digest": digest(spec),
            "data_digest": data_digest,
            "environment": environment,
            "fingerprints": fingerprints,
            "activations": [asdict(curve) for curve in activations],
            "sha256": {path.name: file_sha256(path) for path in sorted(temporary.iterdir())},
        }
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


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


def read(folder: Path, spec: MemberSpec) -> Member:
    """Read a member that `invalid_reason` found nothing wrong with."""
    arrays = ("validation_rows", "validation_probabilities", "test_probabilities")
    manifest = json.loads((folder / MANIFEST).read_text())
    return Member(
        spec=spec,
        history=_read_history(folder / "history.csv"),
        environment=manifest["environment"],
        fingerprints=manifest.get("fingerprints", {}),  # not in the first runs
        activations=[ActivationCurve(**curve) for curve in manifest.get("activations", [])],
        arm=spec.activation,
        **{name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in arrays},
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
