import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from pipeline.network import device
from pipeline.network.device import describe_environment, resolve_precision


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
    monkeypatch.setattr(device, "_device", lambda: (kind, capability))
    monkeypatch.setattr(device, "_cpuinfo", lambda: ["model name\t: x", f"flags\t\t: fpu {cpu_flags} sse"])
    if kind == "cpu" and keras.backend.backend() == "jax":
        policy = "float32"
    assert resolve_precision("auto") == policy
    assert resolve_precision("mixed_float16") == "mixed_float16"


def test_a_worker_takes_one_core_and_leaves_room_for_others():
    code = (
        "import os, tensorflow as tf\nfrom pipeline.network.device import configure_device, worker_capacity\n"
        "configure_device(0)\ncount = worker_capacity()\n"
        "print(count, len(os.sched_getaffinity(0)), tf.config.threading.get_intra_op_parallelism_threads())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    count, cores, threads = map(int, done.stdout.split())
    if not tf.config.list_physical_devices("GPU"):
        assert (1 <= count <= cores, threads) == (True, 1)


@pytest.mark.parametrize(("gpus", "cores", "room"), [(1, 16, 2), (2, 4, 4), (2, 2, 2), (4, 2, 4), (1, 1, 1)])
def test_two_processes_share_a_gpu_where_there_are_cores_to_feed_them(gpus, cores, room, monkeypatch):
    monkeypatch.setattr(device, "cores", lambda: cores)
    assert device._room_on_gpus(gpus) == room


def test_this_machine_is_described():
    environment = describe_environment()
    assert environment["keras"] == keras.__version__
    assert environment["device"]
    assert int(environment["cores"]) >= 1
    assert device._device()[0] in ("cpu", "gpu", "tpu")
