"""Saved networks load in a fresh process after one import."""

import subprocess
import sys

import keras
from conftest import environment

from pipeline.config.schema import OWN_ACTIVATIONS
from pipeline.network.architectures import ARCHITECTURES

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
for path in sorted(Path(".").glob("*/*.keras")):
    print(path, describe(keras.saving.load_model(path)))
"""


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


def test_every_network_loads_after_one_import(tmp_path):
    saved = save_all(ARCHITECTURES, tmp_path / "saved")
    assert len(saved) == len(ARCHITECTURES) * len(OWN_ACTIVATIONS)
    assert sum(":" in line and "pipeline>SwishBeta" in line for line in saved) == len(ARCHITECTURES)
    done = subprocess.run(
        [sys.executable, "-c", "import keras, pipeline.network.architectures" + DESCRIBE + LOAD],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert sorted(done.stdout.splitlines()) == sorted(saved), done.stderr[-2000:]


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
