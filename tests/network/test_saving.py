"""Saved networks load in a fresh process, from a clone and beside a bundle, whichever of the two saved them."""

import os
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.saving import object_registration

from pipeline.config.schema import OWN_ACTIVATIONS
from pipeline.kaggle.bundle import bundle
from pipeline.network.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[2]
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype(np.float32)
LOAD_ALL = """
from pathlib import Path
import numpy as np
{the_line}
for path in sorted(Path(".").glob("*/*.keras")):
    network = keras.saving.load_model(path)
    np.testing.assert_allclose(network(np.load("pixels.npy")), np.load(path.with_suffix(".npy")), rtol=1e-5, atol=1e-6)
    print(path)
"""


@pytest.fixture
def registry():
    """Keras's table of registered objects, as it was before."""
    tables = (object_registration.GLOBAL_CUSTOM_OBJECTS, object_registration.GLOBAL_CUSTOM_NAMES)
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


def save_all(architectures, folder):
    folder.mkdir()
    for name, build in architectures.items():
        for activation in OWN_ACTIVATIONS:
            network = build(activation, 3, "mixed_bfloat16", 1, 1.0)
            network.save(folder / f"{name}-{activation}.keras")
            np.save(folder / f"{name}-{activation}.npy", network(PIXELS))


def test_every_network_loads_after_one_import(tiny, tmp_path, registry):
    np.save(tmp_path / "pixels.npy", PIXELS)
    save_all(ARCHITECTURES, tmp_path / "clone")
    (tmp_path / "kernel.py").write_text(bundle(replace(tiny, name="saving"))[0])
    # As a worker process of a kernel loads it.
    save_all(runpy.run_path(str(tmp_path / "kernel.py"), run_name="__mp_main__")["ARCHITECTURES"], tmp_path / "kernel")

    lines = {"import keras, pipeline.network.architectures": str(ROOT), "import keras, kernel": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD_ALL.format(the_line=line)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line, path in lines.items()
    ]
    expected = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.keras"))
    assert len(expected) == 2 * len(ARCHITECTURES) * len(OWN_ACTIVATIONS)
    for process in processes:
        out, error = process.communicate(timeout=200)
        assert out.split() == expected, error[-2000:]


def test_a_saved_network_names_the_modules_of_the_package():
    layers = ARCHITECTURES["deotte"]("swish_beta", 0, "float32", 1, 1.0).layers
    ours = {
        keras.saving.serialize_keras_object(layer)["module"] + "." + type(layer).__name__
        for layer in layers
        if keras.saving.get_registered_name(type(layer)).startswith("pipeline>")
    }
    assert ours == {
        "pipeline.network.activations.SwishBeta",
        "pipeline.network.dropout.Dropout",
        "pipeline.network.normalization.BatchNormalization",
    }
