"""Checkpoints of a member in flight: whole or not there, checked when read, the last two kept.

One .npz per epoch, without pickles: every variable of the network and the optimizer, the history so far, and what it
was made with. The zip inside carries a CRC of each array, so a damaged file is noticed when it is read.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.records.atomic import atomic_replace
from pipeline.records.members import History
from pipeline.records.readers import LARGEST_JSON, DamagedError, damage_named, read_arrays

KEPT = 2
NAME = re.compile(r"epoch-(\d{4,})\.npz")  # and no copy that a file manager or a synchronized folder made


def save(folder: Path, made_with: Mapping[str, str], variables: Sequence[Any], history: History) -> None:
    """Write the checkpoint of the last epoch in `history`, and remove all but the last two up to there.

    Args:
        folder: Where this member's checkpoints are; made if missing.
        made_with: All that decides the bits of a member, by name; only where it is the same, it can be restored.
        variables: Those of Keras, in an order that is the same for every process.
        history: One dict per finished epoch.
    """
    from keras import ops

    folder.mkdir(parents=True, exist_ok=True)
    arrays = {_key(i): ops.convert_to_numpy(variable) for i, variable in enumerate(variables)}
    meta = json.dumps({"made_with": dict(made_with), "history": history})
    with atomic_replace(folder / f"epoch-{len(history):04}.npz") as temporary, temporary.open("wb") as stream:
        np.savez(stream, meta=np.array(meta), **arrays)
    for epoch, path in _by_epoch(folder).items():
        if not len(history) - KEPT < epoch <= len(history) and path.is_file():
            path.unlink()


def restore(folder: Path, made_with: Mapping[str, str], variables: Sequence[Any]) -> tuple[History, list[str]]:
    """Load the newest whole checkpoint that was made with the same into the variables.

    Returns:
        The history up to it (empty, and the variables untouched, if there is none) and a warning for each checkpoint
        that was passed over.
    """
    warnings: list[str] = []
    for epoch, path in sorted(_by_epoch(folder).items(), reverse=True):
        try:
            with damage_named(path):
                theirs, history, values = _read(path, epoch, made_with, variables)
        except (DamagedError, FileNotFoundError) as error:
            warnings.append(f"checkpoint {error}; using the one before")
            continue
        if theirs != made_with:
            warnings.append(f"checkpoint {path} is not used, as it was made with {_differences(theirs, made_with)}")
            continue
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return history, warnings
    return [], warnings


def epochs_done(folder: Path) -> int:
    """How many epochs the newest checkpoint in a folder holds; 0 without one."""
    return max(_by_epoch(folder), default=0)


def _read(
    path: Path, epoch: int, made_with: Mapping[str, str], variables: Sequence[Any]
) -> tuple[dict[str, str], History, list[NDArray[Any]]]:
    """What a checkpoint was made with; if that is the same as now, also its history and the variables' values."""
    largest = sum(math.prod(variable.shape) for variable in variables) * 8 + LARGEST_JSON
    content = read_arrays(path, largest)
    meta = json.loads(str(content["meta"]))
    theirs, history = dict(meta["made_with"]), list(meta["history"])
    if theirs != made_with:
        return theirs, [], []
    if [record["epoch"] for record in history] != list(range(1, epoch + 1)):
        raise ValueError(f"its history is not that of {epoch} epochs")
    values = [content[_key(i)] for i in range(len(variables))]
    for variable, value in zip(variables, values, strict=True):
        if (tuple(variable.shape), str(variable.dtype)) != (value.shape, str(value.dtype)):
            raise ValueError(f"{value.dtype} of shape {value.shape} for {variable.path}")
    return theirs, history, values


def _key(index: int) -> str:
    return f"{index:04}"


def _by_epoch(folder: Path) -> dict[int, Path]:
    """The checkpoints in a folder."""
    return {int(match[1]): path for path in folder.glob("*") if (match := NAME.fullmatch(path.name))}


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    return ", ".join(
        f"{name} {theirs.get(name, 'unknown')} (now {ours.get(name, 'none')})"
        for name in {**ours, **theirs}
        if theirs.get(name) != ours.get(name)
    )
