import json
import os
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import PYTHON_PATH

from pipeline.config.errors import UserError
from pipeline.device import accelerator, host
from pipeline.device.accelerator import (
    Device,
    check_device,
    configure_device,
    describe_environment,
    found_device,
    resolve_precision,
    worker_capacity,
)
from pipeline.device.settings import training_environment

on_tensorflow = keras.backend.backend() == "tensorflow"
CPU = Device("cpu", "AMD EPYC", 1, "float32")
T4S = Device("gpu", "Tesla T4", 2, "mixed_float16")
LISTED = ["GPU 0: Tesla T4"]


@pytest.mark.parametrize(
    ("kind", "capability", "cpu_flags", "policy"),
    [
        ("gpu", 8, "", "mixed_bfloat16"),
        ("gpu", 7, "", "mixed_float16"),
        ("gpu", 6, "amx_bf16", "float32"),
        ("tpu", 0, "", "mixed_bfloat16"),
        ("cpu", 0, "avx2 avx512f", "float32"),
        ("cpu", 0, "avx512f amx_bf16 amx_tile", "mixed_bfloat16"),
        ("cpu", 0, "avx512_bf16", "float32"),  # Intel's, which is slower than float32
        ("amd", 0, "avx512_bf16", "mixed_bfloat16"),
        ("amd", 0, "avx512f", "float32"),
    ],
)
def test_auto_is_what_the_hardware_does_natively(kind, capability, cpu_flags, policy, monkeypatch):
    vendor, kind = ("AuthenticAMD", "cpu") if kind == "amd" else ("GenuineIntel", kind)
    monkeypatch.setattr(accelerator, "_first_device", lambda: (kind, "a chip", capability))
    monkeypatch.setattr(host, "_cpuinfo", lambda: {"vendor_id": vendor, "flags": f"fpu {cpu_flags} sse"})
    if kind == "cpu" and not on_tensorflow:
        policy = "float32"
    assert resolve_precision("auto") == policy
    assert resolve_precision("mixed_float16") == "mixed_float16"
    assert str(replace(found_device(), count=2)) == "2 x a chip"


def test_a_worker_takes_one_core_and_leaves_room_for_others_and_keras_json_decides_nothing(tmp_path):
    tf = pytest.importorskip("tensorflow")
    (tmp_path / ".keras").mkdir()
    content = {"floatx": "float16", "epsilon": "small", "image_data_format": "channels_first", "backend": "tensorflow"}
    (tmp_path / ".keras/keras.json").write_text(json.dumps(content))
    code = (
        "import os, tensorflow as tf\nfrom pipeline.device.accelerator import configure_device, worker_capacity\n"
        "from tensorflow.python.framework.config import is_op_determinism_enabled\nfrom keras import config\n"
        "configure_device(0)\nthreading = tf.config.threading\n"
        "print(worker_capacity(), len(os.sched_getaffinity(0)), threading.get_intra_op_parallelism_threads(),"
        "threading.get_inter_op_parallelism_threads(), int(is_op_determinism_enabled()),"
        "config.floatx(), config.epsilon(), config.image_data_format())"
    )
    environment = os.environ | training_environment(backend="tensorflow") | {"PYTHONPATH": PYTHON_PATH}
    environment |= {"HOME": str(tmp_path), "TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    )
    capacity, cores, *settings = done.stdout.split()
    assert settings[3:] == ["float32", "1e-07", "channels_last"]
    if not tf.config.list_physical_devices("GPU"):
        assert 1 <= int(capacity) <= int(cores)
        assert settings[:3] == ["1", "1", "1"]


@pytest.mark.skipif(not on_tensorflow, reason="asks TensorFlow")
def test_workers_take_the_gpus_in_turn(monkeypatch):
    import tensorflow as tf

    taken = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind} 0", f"{kind} 1"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpu, kind: taken.append((gpu, kind)))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grow: taken.append((gpu, grow)))
    for index in (0, 1, 2):
        configure_device(index)
    assert taken == [(gpu, what) for gpu in ("GPU 0", "GPU 1", "GPU 0") for what in ("GPU", True)]
    monkeypatch.setattr(accelerator, "_first_device", lambda: ("gpu", "Tesla T4", 7))
    monkeypatch.setattr(host, "cores", lambda: 3)
    assert worker_capacity() == 3
    assert found_device() == Device("gpu", "Tesla T4", 2, "mixed_float16")


def test_this_machine_is_described():
    environment = describe_environment()
    assert environment["keras"] == keras.__version__
    assert environment["numpy"] == np.__version__
    assert environment["python"] == sys.version.split()[0]
    assert int(environment["cores"]) == len(os.sched_getaffinity(0))
    found = found_device()
    assert found.kind in ("cpu", "gpu", "tpu")
    assert found.precision == resolve_precision("auto")
    assert (environment["device"], environment["devices"]) == (found.name, str(found.count))
    if found.kind == "cpu":
        assert (found.count, found.name) == (1, host.processor())


@pytest.mark.parametrize(("wanted", "found"), [("auto", CPU), ("auto", T4S), ("gpu", T4S), ("cpu", CPU)])
def test_what_was_asked_for_is_there(wanted, found, monkeypatch):
    monkeypatch.setattr(accelerator, "listed_gpus", lambda: LISTED if found is T4S or wanted == "cpu" else [])
    assert check_device(wanted, found) == ""


NO_LIBRARIES = "driver lists GPU 0: Tesla T4, so its libraries did not load: logs/worker-0.log .*"


@pytest.mark.parametrize(
    ("wanted", "kaggle", "driver", "words"),
    [
        ("gpu", False, [], r"asks for a GPU, but there is none: .* AMD EPYC \(cpu\). Leave out --device"),
        ("gpu", True, [], "verified phone number .* hours last .* enable_gpu true, then push again"),
        ("tpu", True, LISTED, "enable_tpu true"),
        ("gpu", True, LISTED, NO_LIBRARIES + "the image's own versions"),
        ("gpu", False, LISTED, NO_LIBRARIES + r'pip install "tensorflow\[and-cuda\]"'),
    ],
)
def test_what_is_missing_is_an_error_with_the_remedy_that_fits(wanted, kaggle, driver, words, monkeypatch):
    monkeypatch.setattr(accelerator, "on_kaggle", lambda: kaggle)
    monkeypatch.setattr(accelerator, "listed_gpus", lambda: driver)
    with pytest.raises(UserError, match=words):
        check_device(wanted, CPU)
    with pytest.raises(UserError, match="asks for a CPU"):
        check_device("cpu", T4S)


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Its tool, a script to write."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"

    def says(script):
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)

    return says


def test_the_driver_is_asked_for_its_gpus(driver, monkeypatch):
    assert accelerator.listed_gpus() == []
    driver("printf 'GPU 0: Tesla T4 (UUID: 1)\\nGPU 1: Tesla T4 (UUID: 2)\\n'")
    assert accelerator.listed_gpus() == ["GPU 0: Tesla T4 (UUID: 1)", "GPU 1: Tesla T4 (UUID: 2)"]
    driver("echo 'NVIDIA-SMI has failed'\nexit 9")
    assert accelerator.listed_gpus() == []


@pytest.mark.parametrize(("backend", "package"), [("tensorflow", "tensorflow[and-cuda]"), ("jax", "jax[cuda12]")])
def test_a_gpu_that_is_there_but_not_used_is_warned_about_unless_it_is_hidden(backend, package, driver, monkeypatch):
    driver("echo 'GPU 0: Tesla T4 (UUID: 1)'")
    warning = check_device("auto", CPU, backend)
    assert "training on the CPU" in warning
    assert "GPU 0: Tesla T4" in warning
    assert f'python -m pip install "{package}"' in warning
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert check_device("auto", CPU, backend) == ""
