"""Checkpoints of a member in flight: whole or not there, checked when read, the last two kept.

One .npz per epoch, without pickles: every variable of the network and the optimizer, the history so far, and what it
was made with. The zip inside carries a CRC of each array, so a damaged file is noticed when it is read.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from pipeline.records.atomic import atomic_replace
from pipeline.records.members import History

KEPT = 2


def save(folder: Path, made_with: Mapping[str, str], variables: Sequence[Any], history: History) -> None:
    """Write the checkpoint of the last epoch in `history`, and remove all but the last two.

    Args:
        folder: Where this member's checkpoints are; made if missing.
        made_with: All that decides the bits of a member, by name; only where it is the same, it can be restored.
        variables: Keras variables, in an order that is the same for every process.
        history: One dict per finished epoch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"{i:04}": ops.convert_to_numpy(variable) for i, variable in enumerate(variables)}
    meta = json.dumps({"made_with": dict(made_with), "history": history})
    with atomic_replace(folder / f"epoch-{len(history):04}.npz") as temporary, temporary.open("wb") as stream:
        np.savez(stream, meta=np.array(meta), **arrays)
    for old in sorted(folder.glob("epoch-*.npz"))[:-KEPT]:
        old.unlink()


def restore(folder: Path, made_with: Mapping[str, str], variables: Sequence[Any]) -> tuple[History, list[str]]:
    """Load the newest whole checkpoint that was made with the same into the variables.

    Returns:
        The history up to it (empty, and the variables untouched, if there is none) and a warning for each checkpoint
        that was passed over.
    """
    warnings: list[str] = []
    for path in sorted(folder.glob("epoch-*.npz"), reverse=True):
        try:
            with np.load(path, allow_pickle=False) as content:
                meta = json.loads(str(content["meta"]))
                theirs = meta.get("made_with", {})
                values = [content[f"{i:04}"] for i in range(len(variables))] if theirs == made_with else []
        except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            warnings.append(f"checkpoint {path} is damaged ({error}); using the one before")
            continue
        if theirs != made_with:
            warnings.append(f"checkpoint {path} is not used, as it was made with {_differences(theirs, made_with)}")
            continue
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return meta["history"], warnings
    return [], warnings


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    return ", ".join(
        f"{name} {theirs.get(name, 'unknown')} (now {ours.get(name, 'none')})"
        for name in {**ours, **theirs}
        if theirs.get(name) != ours.get(name)
    )
