"""The device that computes: how a run asks for it, what a worker reports of it, and whether the two agree."""

import shutil
import subprocess
from dataclasses import dataclass

from pipeline.config.errors import UserError
from pipeline.config.places import on_kaggle

NAMES = {"cpu": "CPU", "gpu": "GPU", "tpu": "TPU"}
KAGGLE_REMEDY = (
    "Kaggle gives accelerators only to accounts with a verified phone number (https://www.kaggle.com/settings), and "
    "only while the week's hours last (the same page shows them). Check both, and that kernel-metadata.json has "
    "enable_{kind} true, then push again."
)


@dataclass(frozen=True)
class Device:
    """What a worker computes on."""

    kind: str
    """cpu, gpu or tpu."""
    name: str
    """Such as "Tesla T4", or the model of the CPU."""
    count: int
    """How many of these the machine has for the run: GPUs, cores of a TPU, or 1."""
    precision: str
    """What precision "auto" is on it."""

    def __str__(self) -> str:
        return f"{self.count} x {self.name}" if self.count > 1 else self.name


def device_environment(device: str, backend: str) -> dict[str, str]:
    """Environment variables that make a process compute on a kind of device and with a backend of Keras.

    Args:
        device: auto, cpu, gpu or tpu.
        backend: auto, tensorflow or jax.
    """
    if device == "tpu":
        backend = "jax"  # Keras has no TPU support on TensorFlow
    chosen = {} if backend == "auto" else {"KERAS_BACKEND": backend}
    return chosen | ({"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"} if device == "cpu" else {})


def check_device(wanted: str, found: Device) -> None:
    """Raise a UserError with the remedy if a worker does not compute on the kind of device that was asked for.

    Args:
        wanted: auto, cpu, gpu or tpu.
        found: What the worker computes on.
    """
    if wanted in ("auto", found.kind):
        return
    name = NAMES[wanted]
    if wanted == "gpu" and (listed := listed_gpus()):
        remedy = (
            f"The driver lists {listed[0]}, so its libraries did not load: logs/worker-0.log in the run's folder says "
            "which. Use the image's own versions of TensorFlow, Keras and JAX."
        )
    elif on_kaggle():
        remedy = KAGGLE_REMEDY.format(kind=wanted)
    else:
        remedy = "Leave out --device to train on what there is."
    raise UserError(
        f"the run asks for a {name}, but there is none: the worker computes on {found} ({found.kind}). {remedy}"
    )


def listed_gpus() -> list[str]:
    """The GPUs that NVIDIA's driver lists, a line each; loads nothing that would take hold of one."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return []
    listing = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listing.stdout.strip().splitlines() if listing.returncode == 0 else []
