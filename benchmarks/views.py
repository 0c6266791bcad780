"""Whether a network reads a digit better by looking at it more than once, or enlarged."""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks.record import environment, save, show
from benchmarks.screening import member_folders, scaled_losses
from pipeline.data.digits import load

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


@dataclass(frozen=True)
class Views:
    """Try test-time augmentation on the saved networks of finished runs, each on its validation rows."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of finished runs."""
    out: Annotated[Path | None, tyro.conf.arg(name="out")] = None
    """Where to write the record. By default build/benchmarks/views.json."""

    def run(self) -> None:
        """Print and write one line per way of looking."""
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
        errors: dict[str, list[int]] = {name: [] for name in VIEWS}
        losses: dict[str, list[float]] = {name: [] for name in VIEWS}
        names = []
        for config, folder, member in member_folders(self.runs):
            digits = load(config.data)
            labels = digits.labels[member.validation_rows]
            images = digits.images[member.validation_rows]
            names.append(f"{config.name}/{member.spec.id}")
            for name, probabilities in looked_at(folder / "model.keras", images).items():
                errors[name].append(int((probabilities.argmax(axis=1) != labels).sum()))
                losses[name].append(float(scaled_losses(probabilities.astype(np.float64), labels).mean()))
        rows = [
            {
                "view": name,
                "errors": errors[name],
                "mean": round(float(np.mean(errors[name])), 1),
                "log loss, scaled": round(float(np.mean(losses[name])), 5),
            }
            for name in VIEWS
        ]
        show(", ".join(names), list(rows[0]), [[str(cell) for cell in row.values()] for row in rows])
        save("views", self.out, {"environment": environment(), "networks": names, "rows": rows})


def looked_at(model: Path, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """A saved network's probabilities of the images, by the name of the view; each of shape (n, 10)."""
    import keras

    importlib.import_module("pipeline.network.architectures")  # registers the classes that the file names
    network = keras.saving.load_model(model)
    single = {view: _predicted(network, images, *view) for views in VIEWS.values() for view in views}
    return {name: np.mean([single[view] for view in views], axis=0) for name, views in VIEWS.items()}


def _predicted(network: Any, images: NDArray[np.uint8], zoom: float, right: int, down: int) -> NDArray[np.float32]:
    from pipeline.data.augment import AFFINE, DRAWS_PER_IMAGE, apply_transforms

    transforms = np.zeros((len(images), DRAWS_PER_IMAGE), np.float32)
    centre = (images.shape[1] - 1) * (1 - 1 / zoom) / 2
    transforms[:, :AFFINE] = [1 / zoom, 0, centre - right / zoom, 0, 1 / zoom, centre - down / zoom]
    seen = np.asarray(apply_transforms(images[..., None], transforms))
    probabilities: NDArray[np.float32] = network.predict(seen, batch_size=500, verbose=0)
    return probabilities
