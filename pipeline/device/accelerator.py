"""The device that computes: how a process takes it, what it is, and whether it is the one that a run asks for.

Keras is imported where it is asked, as the parent of the processes that train never loads it.
"""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from pipeline.config.errors import UserError
from pipeline.config.places import on_kaggle
from pipeline.device.host import (
    cores,
    cpu_is_faster_in_bfloat16,
    installed_version,
    processor,
    room_on_cpu,
    room_on_gpus,
)
from pipeline.device.settings import HIDDEN_GPUS, settings_with_other_bits, without_onednn

NAMES = {"cpu": "CPU", "gpu": "GPU", "tpu": "TPU"}
KAGGLE_REMEDY = (
    "Kaggle gives accelerators only to accounts with a verified phone number (https://www.kaggle.com/settings), and "
    "only while the week's hours last (the same page shows them). Check both, and that kernel-metadata.json has "
    'enable_{kind} true, then push again. To train without one, set "device" in the kernel\'s CONFIG to "auto".'
)
HERE_REMEDY = 'Leave out --device (in a kernel\'s CONFIG, set "device" to "auto") to train on what there is.'
IMAGE_REMEDY = "Use the image's own versions of TensorFlow, Keras and JAX."
CUDA_PACKAGES = {"tensorflow": "tensorflow[and-cuda]", "jax": "jax[cuda12]"}


@dataclass(frozen=True)
class Device:
    """What a worker computes on."""

    kind: str
    """cpu, gpu or tpu."""
    name: str
    """Such as "Tesla T4", or the model of the CPU; with the user's settings that change a network's bits."""
    count: int
    """How many of these the machine has for the run: GPUs, cores of a TPU, or 1."""
    precision: str
    """What precision "auto" is on it."""

    def __str__(self) -> str:
        return f"{self.count} x {self.name}" if self.count > 1 else self.name


def configure_device(index: int) -> None:
    """Make this process, the index-th worker of a run, compute on one of the GPUs if there are any, else on one core.

    One core each, because small convolutions do not fill two: on 2 cores, two processes of one thread train `deotte`
    1.4 times as fast as one of two threads, and `ghouzam` 1.05 times (float32, AMD Zen 3). A member's bits then do not
    depend on the number of cores either.
    """
    gpus = _accelerators()
    if _backend() == "jax":
        import jax

        if gpus and gpus[0].platform == "gpu":
            jax.config.update("jax_default_device", gpus[index % len(gpus)])
        return
    import tensorflow as tf

    if gpus:
        gpu = gpus[index % len(gpus)]
        tf.config.set_visible_devices(gpu, "GPU")
        tf.config.experimental.set_memory_growth(gpu, True)
    else:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()


def found_device() -> Device:
    """What this process computes on."""
    kind, name, capability = _first_device()
    settings = settings_with_other_bits()
    return Device(
        kind,
        f"{name}, {settings}" if settings else name,
        len(_accelerators()) or 1,
        _native_precision(kind, capability),
    )


def worker_capacity() -> int:
    """How many worker processes the machine has room for.

    Two for each GPU if there are cores to feed them, or one for each core; 1 with a TPU or JAX on CPU.
    """
    kind, _, _ = _first_device()
    if kind == "gpu":
        return room_on_gpus(len(_accelerators()))
    return room_on_cpu() if _backend() == "tensorflow" else 1


def on_tensorflow_cpu() -> bool:
    """Whether it is TensorFlow that computes, and on the CPU."""
    return _backend() == "tensorflow" and _first_device()[0] == "cpu"


def resolve_precision(requested: str) -> str:
    """The Keras dtype policy for a config's `precision`: `requested`, or, for "auto", what the device does natively."""
    return found_device().precision if requested == "auto" else requested


def describe_environment() -> dict[str, str]:
    """Versions and hardware of this process, for the records of a run."""
    packages, device = ("keras", _backend(), "numpy", "pandas", "scikit-learn"), found_device()
    return {
        "python": platform.python_version(),
        **{package: installed_version(package) for package in packages},
        "device": device.name,
        "devices": str(device.count),
        "cores": str(cores()),
        "platform": platform.platform(),
    }


def check_device(wanted: str, found: Device, backend: str = "tensorflow") -> str:
    """Compare what a worker computes on with what was asked for.

    Args:
        wanted: auto, cpu, gpu or tpu.
        found: What the worker computes on.
        backend: What it computes with: tensorflow or jax.

    Returns:
        A warning if nobody asked for the CPU and there is a GPU; else nothing.

    Raises:
        UserError: the worker does not compute on the kind of device that was asked for; names the remedy.
    """
    if wanted == found.kind or (wanted == "auto" and found.kind != "cpu"):
        return ""
    remedy = ""
    if wanted in ("auto", "gpu") and (listed := listed_gpus()):
        install = f'python -m pip install "{CUDA_PACKAGES[backend]}"'
        remedy = (
            f"The driver lists {listed[0]}, so its libraries did not load: logs/worker-0.log in the run's folder says "
            f"which. {IMAGE_REMEDY if on_kaggle() else f'Install them: {install}'}"
        )
    if wanted == "auto":
        return f"training on the CPU. {remedy}" if remedy else ""
    if not remedy:
        remedy = KAGGLE_REMEDY.format(kind=wanted) if on_kaggle() else HERE_REMEDY
    raise UserError(
        f"the run asks for a {NAMES[wanted]}, but there is none: the worker computes on {found} ({found.kind}). "
        f"{remedy}"
    )


def listed_gpus() -> list[str]:
    """The GPUs that NVIDIA's driver lists and nobody hides, a line each; loads nothing that would take hold of one."""
    tool = shutil.which("nvidia-smi")
    if not tool or os.environ.get("CUDA_VISIBLE_DEVICES", "all") in HIDDEN_GPUS:
        return []
    listing = subprocess.run([tool, "-L"], capture_output=True, text=True, errors="replace", check=False)
    return listing.stdout.strip().splitlines() if listing.returncode == 0 else []


def _backend() -> str:
    import keras

    return keras.backend.backend()


def _accelerators() -> list[Any]:
    """The machine's GPUs or cores of a TPU, as the backend names them; none on a CPU."""
    if _backend() == "jax":
        import jax

        return [device for device in jax.devices() if device.platform != "cpu"]
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def _first_device() -> tuple[str, str, int]:
    """Kind (cpu, gpu or tpu) and name of what this process computes on; major compute capability of a GPU, else 0."""
    if _backend() == "jax":
        for device in _accelerators():
            return device.platform, str(device.device_kind), int(float(getattr(device, "compute_capability", 0) or 0))
    else:
        import tensorflow as tf

        for gpu in tf.config.get_visible_devices("GPU"):
            details = tf.config.experimental.get_device_details(gpu)
            return "gpu", str(details.get("device_name", gpu.name)), details.get("compute_capability", (0, 0))[0]
    return "cpu", processor(), 0


def _native_precision(kind: str, capability: int) -> str:
    """What a device does natively.

    Returns:
        "mixed_bfloat16" on CPUs that are faster in it, on GPUs from Ampere (compute capability 8) and on TPUs;
        "mixed_float16" on Volta and Turing GPUs (7), such as the T4; else "float32".
    """
    if kind == "gpu":
        return "mixed_bfloat16" if capability >= 8 else "mixed_float16" if capability >= 7 else "float32"
    # On CPU it is TensorFlow's oneDNN kernels that use these instructions.
    on_cpu = _backend() == "tensorflow" and cpu_is_faster_in_bfloat16() and not without_onednn()
    return "mixed_bfloat16" if kind == "tpu" or on_cpu else "float32"
