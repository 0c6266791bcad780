import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT

from pipeline.device import device
from pipeline.device.device import (
    configure_device,
    describe_environment,
    found_device,
    resolve_precision,
    worker_capacity,
)

tensorflow_only = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="asks TensorFlow")


@pytest.mark.parametrize(
    ("kind", "capability", "cpu_flags", "policy"),
    [
        ("gpu", 9, "", "mixed_bfloat16"),
        ("gpu", 8, "", "mixed_bfloat16"),
        ("gpu", 7, "", "mixed_float16"),
        ("gpu", 6, "amx_bf16", "float32"),
        ("tpu", 0, "", "mixed_bfloat16"),
        ("cpu", 0, "avx2 avx512f", "float32"),
        ("cpu", 0, "avx512f amx_bf16 amx_tile", "mixed_bfloat16"),
        ("cpu", 0, "avx512_bf16", "mixed_bfloat16"),
    ],
)
def test_auto_is_what_the_hardware_does_natively(kind, capability, cpu_flags, policy, monkeypatch):
    monkeypatch.setattr(device, "_kind_and_capability", lambda: (kind, capability))
    monkeypatch.setattr(device, "_cpuinfo", lambda: ["model name\t: x", f"flags\t\t: fpu {cpu_flags} sse"])
    if kind == "cpu" and keras.backend.backend() == "jax":
        policy = "float32"
    assert resolve_precision("auto") == policy
    assert resolve_precision("mixed_float16") == "mixed_float16"


def test_a_worker_takes_one_core_and_leaves_room_for_others():
    code = (
        "import os, tensorflow as tf\nfrom pipeline.device.device import configure_device, worker_capacity\n"
        "from tensorflow.python.framework.config import is_op_determinism_enabled\n"
        "configure_device(0)\nthreading = tf.config.threading\n"
        "print(worker_capacity(), len(os.sched_getaffinity(0)), threading.get_intra_op_parallelism_threads(),"
        "threading.get_inter_op_parallelism_threads(), int(is_op_determinism_enabled()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"}
    environment |= {"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    )
    capacity, cores, *settings = map(int, done.stdout.split())
    if not tf.config.list_physical_devices("GPU"):
        assert 1 <= capacity <= cores
        assert settings == [1, 1, 1]


@tensorflow_only
def test_workers_take_the_gpus_in_turn(monkeypatch):
    taken = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind} 0", f"{kind} 1"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpu, kind: taken.append((gpu, kind)))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grow: taken.append((gpu, grow)))
    for index in (0, 1, 2):
        configure_device(index)
    assert taken == [(gpu, what) for gpu in ("GPU 0", "GPU 1", "GPU 0") for what in ("GPU", True)]
    monkeypatch.setattr(device, "cores", lambda: 3)
    assert worker_capacity() == 3


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RuntimeError, match="'tensorflow' or 'jax'. Received: 'torch'"):
        configure_device(0)


@pytest.mark.parametrize(("cores", "gibibytes", "room"), [(8, 64, 8), (8, 5, 2), (8, 16, 8), (8, 1, 1), (1, 64, 1)])
def test_memory_limits_the_workers_as_well_as_cores(cores, gibibytes, room, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: cores)
    monkeypatch.setattr(device, "usable_memory", lambda: gibibytes * 2**30)
    assert device._room_on_cpu() == room


@pytest.mark.parametrize(("gpus", "cores", "room"), [(1, 16, 2), (2, 4, 4), (2, 2, 2), (4, 2, 4), (1, 1, 1)])
def test_two_processes_share_a_gpu_where_there_are_cores_to_feed_them(gpus, cores, room, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: cores)
    assert device._room_on_gpus(gpus) == room


def test_this_machine_is_described():
    environment = describe_environment()
    assert environment["keras"] == keras.__version__
    assert environment["numpy"] == np.__version__
    assert environment["python"] == sys.version.split()[0]
    assert environment["device"]
    assert int(environment["cores"]) == len(os.sched_getaffinity(0))
    found = found_device()
    assert found.kind in ("cpu", "gpu", "tpu")
    assert found.precision == resolve_precision("auto")
    assert (environment["device"], environment["devices"]) == (found.name, str(found.count))
    if found.kind == "cpu":
        assert found.count == 1
