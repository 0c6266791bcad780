import pytest

from pipeline.config.errors import UserError
from pipeline.device import accelerator
from pipeline.device.accelerator import Device, check_device, device_environment

CPU = Device("cpu", "AMD EPYC", 1, "float32")
T4S = Device("gpu", "Tesla T4", 2, "mixed_float16")


@pytest.mark.parametrize(("wanted", "found"), [("auto", CPU), ("auto", T4S), ("gpu", T4S), ("cpu", CPU)])
def test_what_was_asked_for_is_there(wanted, found):
    check_device(wanted, found)


def test_several_devices_of_a_kind_are_counted():
    assert (str(CPU), str(T4S)) == ("AMD EPYC", "2 x Tesla T4")


@pytest.mark.parametrize(
    ("wanted", "kaggle", "driver", "words"),
    [
        (
            "gpu",
            False,
            [],
            "asks for a GPU, but there is none: the worker computes on AMD EPYC (cpu). Leave out --device",
        ),
        ("tpu", False, [], "asks for a TPU, but there is none"),
        ("gpu", True, [], "verified phone number .* hours last .* enable_gpu true, then push again"),
        ("tpu", True, ["GPU 0: Tesla T4"], "enable_tpu true"),
        (
            "gpu",
            True,
            ["GPU 0: Tesla T4"],
            "driver lists GPU 0: Tesla T4, so its libraries did not load: logs/worker-0.log",
        ),
    ],
)
def test_what_is_missing_is_an_error_with_the_remedy_that_fits(wanted, kaggle, driver, words, monkeypatch):
    monkeypatch.setattr(accelerator, "on_kaggle", lambda: kaggle)
    monkeypatch.setattr(accelerator, "listed_gpus", lambda: driver)
    with pytest.raises(UserError, match=words.replace("(cpu)", r"\(cpu\)")):
        check_device(wanted, CPU)


def test_a_gpu_that_should_not_be_used_is_an_error():
    with pytest.raises(UserError, match="asks for a CPU"):
        check_device("cpu", T4S)


def test_the_driver_is_asked_for_its_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accelerator.listed_gpus() == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf 'GPU 0: Tesla T4 (UUID: 1)\\nGPU 1: Tesla T4 (UUID: 2)\\n'\n")
    tool.chmod(0o755)
    assert accelerator.listed_gpus() == ["GPU 0: Tesla T4 (UUID: 1)", "GPU 1: Tesla T4 (UUID: 2)"]
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert accelerator.listed_gpus() == []


@pytest.mark.parametrize(
    ("device", "backend", "expected"),
    [
        ("auto", "auto", {}),
        ("gpu", "auto", {}),
        ("gpu", "jax", {"KERAS_BACKEND": "jax"}),
        ("tpu", "auto", {"KERAS_BACKEND": "jax"}),
        ("cpu", "tensorflow", {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}),
    ],
)
def test_processes_get_what_makes_them_use_device_and_backend(device, backend, expected):
    assert device_environment(device, backend) == expected
