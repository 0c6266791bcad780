"""Saved networks load in a fresh process after one import."""

import subprocess
import sys

import keras
from conftest import environment
from trainers import take_turns

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
for path in sorted(Path(".").glob("*.keras")):
    print(path, describe(keras.saving.load_model(path)))
"""


def test_every_network_loads_after_one_import(tmp_path, monkeypatch):
    """The arms take turns from layer to layer, so that each network has all of them."""
    tools, saved = {"keras": keras}, []
    exec(DESCRIBE, tools)
    for name in sorted(ARCHITECTURES):
        take_turns(monkeypatch, name)
        network = ARCHITECTURES[name]("in turns", 3, "mixed_float16", 1, 1.0)
        network.save(tmp_path / f"{name}.keras")
        saved.append(f"{name}.keras {tools['describe'](network)}")
        assert all(text in saved[-1] for text in ("/relu,", "/pipeline>swish,", "pipeline>SwishBeta/"))
    done = subprocess.run(
        [sys.executable, "-c", "import keras, pipeline.network.architectures" + DESCRIBE + LOAD],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.stdout.splitlines() == saved, done.stderr[-2000:]


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
