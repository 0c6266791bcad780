"""A study as one file, small enough to commit: what every network predicted for images that it did not train on.

With probabilities.npz and metrics.csv anyone can recompute every interval without the networks. They hold all that a
comparison needs except the images: the digits, the probabilities as float16, and, as JSON, the configs and what the
members recorded.
"""

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.config_json import from_json, to_json
from pipeline.config.errors import UserError
from pipeline.config.rules import validate
from pipeline.config.schema import MemberSpec, RunConfig
from pipeline.data.digits import CLASSES, SIDE, Digits
from pipeline.records.atomic import atomic_replace
from pipeline.records.members import History, Member, probability_fault
from pipeline.records.readers import DamagedError, damage_named, read_arrays, read_bytes
from pipeline.records.run_folder import RunFolder

WITHOUT_IMAGES = ", from a study's record, without images"
NO_IMAGES = np.empty((0, SIDE, SIDE), np.uint8)


@dataclass(frozen=True)
class Study:
    """What a comparison is made from."""

    configs: list[RunConfig]
    digits: Digits
    """Without images, if it was read back from its record."""
    members: list[Member]
    note: str = ""
    """A sentence that nobody should overlook."""


def is_study(folder: RunFolder) -> bool:
    """Whether a folder holds a study's record, and neither a run nor a blend."""
    others = (folder.data, folder.config, folder.submission_record)
    return folder.probabilities.exists() and not any(path.exists() for path in others)


def write_study(folder: RunFolder, study: Study) -> None:
    """Write probabilities.npz; metrics.csv is written with the report.

    Predictions of test images are kept only where their digits are known.
    """
    digits = study.digits
    judged = digits.held_back_labels is not None
    arrays: dict[str, Any] = {"labels": digits.labels, "image_ids": digits.image_ids}
    if judged:
        arrays["held_back_labels"] = digits.held_back_labels
    written = []
    for i, member in enumerate(study.members):
        arrays[f"rows_{member.spec.fold}"] = member.validation_rows.astype(np.int32)
        arrays[f"validation_{i}"] = half_precision(member.validation_probabilities)
        arrays[f"test_{i}"] = half_precision(member.test_probabilities[: None if judged else 0])
        written.append(
            {
                "config": next(c for c, config in enumerate(study.configs) if config.recipe == member.spec.recipe),
                **{key: getattr(member.spec, key) for key in ("activation", "seed", "fold")},
                **{key: getattr(member, key) for key in ("label", "environment", "fingerprints")},
            }
        )
    content = {
        "source": digits.source,
        "note": study.note,
        "configs": [to_json(config) for config in study.configs],
        "members": written,
    }
    with atomic_replace(folder.probabilities) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, content=np.array(json.dumps(content)), **arrays)


def read_study(folder: RunFolder) -> Study:
    """Read what `write_study` and the report wrote.

    Raises:
        UserError: a file is missing or damaged.
    """
    try:
        with damage_named(folder.metrics):
            histories = _read_histories(read_bytes(folder.metrics).decode())
        with damage_named(folder.probabilities):
            arrays = read_arrays(folder.probabilities)
            content = json.loads(str(arrays["content"]))
            configs = [from_json(text, str(folder.probabilities)) for text in content["configs"]]
            members = [_member(i, own, configs, arrays, histories) for i, own in enumerate(content["members"])]
            digits, note = _digits(content["source"], arrays), str(content["note"])
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}).") from None
    except DamagedError as error:
        raise UserError(f"{error}.") from None
    for config in configs:
        validate(config)
    return Study(configs, digits, members, note)


def as_recorded(member: Member) -> Member:
    """The member with the probabilities that its record will hold, so that the record gives the same results."""
    return replace(
        member,
        validation_probabilities=half_precision(member.validation_probabilities).astype(np.float32),
        test_probabilities=half_precision(member.test_probabilities).astype(np.float32),
    )


def half_precision(probabilities: NDArray[np.float32]) -> NDArray[np.float16]:
    """Probabilities, shape (n, 10), as float16, rounded so that every prediction stays the same."""
    rounded = probabilities.astype(np.float16)
    best = probabilities.argmax(axis=1)
    rows = np.flatnonzero(rounded.argmax(axis=1) != best)  # a tie, now
    rounded[rows, best[rows]] = np.nextafter(rounded[rows].max(axis=1), np.float16(2))
    return rounded


def _member(
    i: int,
    own: Mapping[str, Any],
    configs: Sequence[RunConfig],
    arrays: Mapping[str, Any],
    histories: Mapping[tuple[str, int, str], History],
) -> Member:
    spec = MemberSpec(configs[own["config"]].recipe, own["activation"], own["seed"], own["fold"])
    history = histories.get((own["label"] or spec.activation, spec.seed, _fold(spec.fold)), [])
    if fault := _history_fault(history, spec.recipe.train.epochs):
        raise ValueError(f"metrics.csv {fault} of {spec.id}")
    member = Member(
        spec=spec,
        history=history,
        validation_rows=arrays[f"rows_{spec.fold}"].astype(np.int64),
        validation_probabilities=arrays[f"validation_{i}"].astype(np.float32).reshape(-1, CLASSES),
        test_probabilities=arrays[f"test_{i}"].astype(np.float32).reshape(-1, CLASSES),
        environment=own["environment"],
        fingerprints=own["fingerprints"],
        label=own["label"],
    )
    if fault := probability_fault(member):
        raise ValueError(f"{spec.id}: {fault}")
    return member


def _history_fault(history: History, epochs: int) -> str | None:
    """What is wrong with the epochs of a network, in words; None if nothing is."""
    if [record.get("epoch") for record in history] != list(range(1, epochs + 1)):
        return f"has not the {epochs} epochs"
    for record in history:
        if not {"loss", "seconds"} <= record.keys() or record.keys() != history[0].keys():
            return f"lacks a value in epoch {record['epoch']:.0f}"
        if not all(map(math.isfinite, record.values())) or record["seconds"] <= 0:
            return f"holds a value that cannot be in epoch {record['epoch']:.0f}"
    return None


def _digits(source: str, arrays: Mapping[str, Any]) -> Digits:
    held_back = arrays.get("held_back_labels")
    where = source.removesuffix(WITHOUT_IMAGES) + WITHOUT_IMAGES
    return Digits(where, NO_IMAGES, arrays["labels"], NO_IMAGES, arrays["image_ids"], held_back)


def _read_histories(table: str) -> dict[tuple[str, int, str], History]:
    """The histories in metrics.csv, by arm, seed and fold."""
    histories: dict[tuple[str, int, str], History] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(table)):
        key = row.pop("arm"), int(row.pop("seed")), row.pop("fold")
        histories[key].append({name: float(text) for name, text in row.items() if text})
    return dict(histories)


def _fold(fold: int | None) -> str:
    return "none" if fold is None else str(fold)
