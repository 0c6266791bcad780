"""Whether a trained network reads digits better with other views of them, or with fresh statistics."""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks.ours import ENVIRONMENT
from benchmarks.record import environment, save, show
from benchmarks.screening import member_folders, scaled_losses
from pipeline.config.errors import UserError
from pipeline.data.digits import Digits
from pipeline.records.opened_runs import load_data

# Each is a list of (zoom, shift to the right, shift down); the probabilities of its members are averaged.
VIEWS: dict[str, list[tuple[float, int, int]]] = {
    "as it is": [(1, 0, 0)],
    "and shifted by 1 along an axis: 5 views": [(1, 0, 0), (1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1)],
    "and shifted by 1 in all directions: 9 views": [(1, x, y) for x in (0, 1, -1) for y in (0, 1, -1)],
    "zoom 0.95": [(0.95, 0, 0)],
    "zoom 1.05": [(1.05, 0, 0)],
    "zoom 1.1": [(1.1, 0, 0)],
    "zooms 0.95, 1, 1.05": [(0.95, 0, 0), (1, 0, 0), (1.05, 0, 0)],
}


FRESH = "fresh statistics"


@dataclass(frozen=True)
class Views:
    """Try what can still be changed at prediction, on the saved networks of finished runs and their validation rows.

    Test-time augmentation by shifts and zooms, and fresh statistics of batch normalisation. Each is compared to the
    network as it is, image by image; the standard error is over the images, and holds for these networks.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of finished runs that validate on the same rows."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the record. By default build/benchmarks/views.json."""

    def run(self) -> None:
        """Print and write one line per way of looking."""
        os.environ.update(ENVIRONMENT)
        wrong: dict[str, list[NDArray[Any]]] = {name: [] for name in (*VIEWS, FRESH)}
        losses: dict[str, list[NDArray[Any]]] = {name: [] for name in (*VIEWS, FRESH)}
        networks, validation_rows = [], None
        for run, folder, member in member_folders(self.runs):
            if validation_rows is not None and not np.array_equal(validation_rows, member.validation_rows):
                raise UserError(f"{folder} was validated on other rows than {networks[0]}.")
            validation_rows = member.validation_rows
            digits = load_data([run], None)
            labels = digits.labels[member.validation_rows]
            networks.append(f"{run.config.name}/{member.spec.id}")
            for name, probabilities in looked_at(folder / "model.keras", digits, member.validation_rows).items():
                wrong[name].append(probabilities.argmax(axis=1) != labels)
                losses[name].append(scaled_losses(probabilities.astype(np.float64), labels))
        rows = [
            {
                "view": name,
                "errors": [int(w.sum()) for w in wrong[name]],
                "mean": round(float(np.mean([w.sum() for w in wrong[name]])), 1),
                "change of errors": told(wrong[name], wrong["as it is"], len(labels), 1),
                "log loss, scaled": round(float(np.mean(losses[name])), 5),
                "change of log loss": told(losses[name], losses["as it is"], 1, 5),
            }
            for name in wrong
        ]
        show(", ".join(networks), list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
        save("views", self.out, {"environment": environment(), "networks": networks, "rows": rows})


def told(ours: Sequence[NDArray[Any]], theirs: Sequence[NDArray[Any]], unit: float, digits: int) -> str:
    """Mean difference over images and networks, in units, with its standard error over the images."""
    by_image = np.mean(ours, axis=0) - np.mean(theirs, axis=0)
    error = by_image.std(ddof=1) / np.sqrt(len(by_image))
    return f"{unit * by_image.mean():+.{digits}f} ± {unit * error:.{digits}f}"


def looked_at(model: Path, digits: Digits, validation_rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """A saved network's probabilities of its validation rows, by the name of the view; each of shape (v, 10)."""
    import keras

    importlib.import_module("pipeline.network.architectures")  # registers the classes that the file names
    from pipeline.training.fresh_statistics import STATISTICS_IMAGES, recompute_statistics, statistics_network

    network, images = keras.saving.load_model(model), digits.images[validation_rows]
    single = {view: _predicted(network, images, *view) for views in VIEWS.values() for view in views}
    by_view = {name: np.mean([single[view] for view in views], axis=0) for name, views in VIEWS.items()}
    training_rows = np.setdiff1d(np.arange(len(digits.labels)), validation_rows)
    recompute_statistics(network, statistics_network(network), digits.images[training_rows[:STATISTICS_IMAGES]])
    return by_view | {FRESH: _predicted(network, images, 1, 0, 0)}


def _predicted(network: Any, images: NDArray[np.uint8], zoom: float, right: int, down: int) -> NDArray[np.float32]:
    from pipeline.data.augment import AFFINE, DRAWS_PER_IMAGE, apply_transforms

    transforms = np.zeros((len(images), DRAWS_PER_IMAGE), np.float32)
    centre = (images.shape[1] - 1) * (1 - 1 / zoom) / 2
    transforms[:, :AFFINE] = [1 / zoom, 0, centre - right / zoom, 0, 1 / zoom, centre - down / zoom]
    seen = np.asarray(apply_transforms(images[..., None], transforms))
    probabilities: NDArray[np.float32] = network.predict(seen, batch_size=500, verbose=0)
    return probabilities
