"""The user's own settings in the processes that train: set by us, honoured and recorded, or refused by name."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

from pipeline.config.errors import UserError

BACKENDS = {"tensorflow": "jax", "jax": "tensorflow"}  # each with the other
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
DEFAULTS = {
    # TensorFlow turns oneDNN on by itself only for CPUs with AVX512 instructions; on others it pays as well.
    ONEDNN: "1",
    # JAX would reserve most of a GPU's memory for the first of the processes that share it.
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
# Whatever keras.json says of floatx, epsilon and the order of an image's axes: there is no file in such a folder.
OURS = {"KERAS_HOME": os.devnull, "JAX_ENABLE_X64": "0"}
HIDDEN_GPUS = ("", "-1")  # values of CUDA_VISIBLE_DEVICES that leave none
# With another value of one of these, a network has other bits.
BITS_DEPEND_ON = (
    ONEDNN,
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def device_environment(device: str, backend: str) -> dict[str, str]:
    """Environment variables that make a process compute on a kind of device and with a backend of Keras."""
    if device == "tpu":
        backend = "jax"  # Keras has no TPU support on TensorFlow
    chosen = {} if backend == "auto" else {"KERAS_BACKEND": backend}
    return chosen | ({"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"} if device == "cpu" else {})


def training_environment(device: str = "auto", backend: str = "auto") -> dict[str, str]:
    """All environment variables that a process which trains has to have; see `device_environment`.

    Raises:
        UserError: the backend that the arguments or the user's settings ask for cannot be used.
    """
    wanted = device_environment(device, backend)
    setting, name = ("--backend", wanted["KERAS_BACKEND"]) if "KERAS_BACKEND" in wanted else _backend_of_user()
    if name not in BACKENDS:
        raise UserError(f"{setting} must be 'tensorflow' or 'jax'. Received: {name!r}. --backend overrides it.")
    if find_spec(name) is None:
        raise UserError(
            f"{setting} is {name!r}, which is not installed. Install it with `python -m pip install {name}`, or train "
            f"with --backend {BACKENDS[name]}."
        )
    defaults = {name: os.environ.get(name, value) for name, value in DEFAULTS.items()}
    return {**defaults, **OURS, **wanted, "KERAS_BACKEND": name}


def _backend_of_user() -> tuple[str, str]:
    """Which setting says what computes below Keras, and what."""
    if chosen := os.environ.get("KERAS_BACKEND"):
        return "the environment variable KERAS_BACKEND", chosen
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")  # noqa: PTH111 - Path's raises without a home
    path = Path(home, "keras.json")
    try:
        return f"the backend in {path}", str(json.loads(path.read_bytes())["backend"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "the backend", "tensorflow"  # Keras does not mind a damaged file either


def settings_with_other_bits() -> str:
    """The user's settings with which networks have other bits than without, in words; empty if there are none."""
    return ", ".join(
        f"{name}={os.environ[name]}"
        for name in BITS_DEPEND_ON
        if os.environ.get(name, "") not in ("", DEFAULTS.get(name))
    )


def without_onednn() -> bool:
    """Whether the user has turned oneDNN off."""
    return os.environ.get(ONEDNN, "").lower() in ("0", "false")


def settings_warning() -> str:
    """What the user should know of their settings before anything is trained; empty if there is nothing."""
    if not (settings := settings_with_other_bits()):
        return ""
    slower = " Without oneDNN a CPU takes longer: float32 by a fifth, and bfloat16 is out of reach."
    return (
        f"{settings} is set in your environment: networks may have other bits than without, and are recorded so."
        f"{slower if without_onednn() else ''}"
    )
