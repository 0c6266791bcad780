import keras
import pytest

from pipeline import device
from pipeline.device import describe_environment, resolve_precision, use_device


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


def test_this_machine_is_described():
    assert use_device(0) >= 1
    environment = describe_environment()
    assert environment["keras"] == keras.__version__
    assert environment["device"]
    assert int(environment["cores"]) >= 1
    assert device._device()[0] in ("cpu", "gpu", "tpu")
