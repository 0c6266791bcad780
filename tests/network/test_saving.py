"""Saved networks load in a fresh process after one import, in a clone and beside a bundle."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from keras.src.saving import object_registration

from pipeline.config.schema import OWN_ACTIVATIONS
from pipeline.kaggle.bundle import bundle
from pipeline.network.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[2]
DESCRIBE = '''
import hashlib
def describe(network):
    """Its layers, their activations by the names they are registered under, and its weights."""
    name = keras.saving.get_registered_name
    layers = [name(type(layer)) + "/" + name(getattr(layer, "activation", type(layer))) for layer in network.layers]
    return ",".join(layers) + ":" + hashlib.sha256(b"".join(w.tobytes() for w in network.get_weights())).hexdigest()
'''
LOAD = """
from pathlib import Path
for path in sorted(Path(".").glob("{pattern}")):
    print(path, describe(keras.saving.load_model(path)))
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
    """Save every network with every arm; the lines that a process should print which loads them."""
    folder.mkdir()
    tools = {"keras": keras}
    exec(DESCRIBE, tools)
    lines = []
    for name in sorted(architectures):
        for activation in sorted(OWN_ACTIVATIONS):
            network = architectures[name](activation, 3, "mixed_float16", 1, 1.0)
            path = folder / f"{name}-{activation}.keras"
            network.save(path)
            lines.append(f"{folder.name}/{path.name} {tools['describe'](network)}")
    return lines


def test_every_network_of_clone_and_kernel_loads_after_one_import(tiny, tmp_path, registry):
    ours = save_all(ARCHITECTURES, tmp_path / "clone")
    (tmp_path / "kernel.py").write_text(bundle(tiny)[0])
    # As a worker process of a kernel loads it.
    theirs = save_all(
        runpy.run_path(str(tmp_path / "kernel.py"), run_name="__mp_main__")["ARCHITECTURES"], tmp_path / "k"
    )
    assert len(ours) == len(theirs) == len(ARCHITECTURES) * len(OWN_ACTIVATIONS)
    assert sum(":" in line and "pipeline>SwishBeta" in line for line in theirs) == len(ARCHITECTURES)

    ways = [
        ("import keras, pipeline.network.architectures", "*/*.keras", ROOT, [*ours, *theirs]),
        ("import keras, kernel", "k/*.keras", tmp_path, theirs),
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", line + DESCRIBE + LOAD.format(pattern=pattern)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line, pattern, path, _ in ways
    ]
    for process, (*_, expected) in zip(processes, ways, strict=True):
        out, error = process.communicate(timeout=250)
        assert sorted(out.splitlines()) == sorted(expected), error[-2000:]


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
