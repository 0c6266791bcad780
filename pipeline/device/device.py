"""The device that a worker process computes on, and the arithmetic that it does natively."""

import platform
from importlib.metadata import version
from pathlib import Path

import keras

from pipeline.device.accelerator import Device
from pipeline.device.host import MEMORY_PER_WORKER, PROCESSES_PER_GPU, cores, usable_memory

BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


def configure_device(index: int) -> None:
    """Make this process, the index-th worker of a run, compute on one of the GPUs if there are any, else on one core.

    One core each, because small convolutions do not fill two: on 2 cores, two processes of one thread train `deotte`
    1.4 times as fast as one of two threads, and `ghouzam` 1.05 times (float32, AMD Zen 3). A member's bits then do not
    depend on the number of cores either.

    Raises:
        RuntimeError: Keras runs on a backend other than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        devices = jax.devices()
        if devices[0].platform == "gpu":
            jax.config.update("jax_default_device", devices[index % len(devices)])
        return
    if backend != "tensorflow":
        raise RuntimeError(f"KERAS_BACKEND must be 'tensorflow' or 'jax'. Received: {backend!r}")
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        gpu = gpus[index % len(gpus)]
        tf.config.set_visible_devices(gpu, "GPU")
        tf.config.experimental.set_memory_growth(gpu, True)
    else:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()


def worker_capacity() -> int:
    """How many worker processes the machine has room for.

    Two for each GPU if there are cores to feed them, or one for each core; 1 with a TPU or JAX on CPU.
    """
    if keras.backend.backend() == "jax":
        import jax

        devices = jax.devices()
        return _room_on_gpus(len(devices)) if devices[0].platform == "gpu" else 1
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return _room_on_gpus(len(gpus)) if gpus else _room_on_cpu()


def device_count() -> int:
    """How many devices there are: GPUs, or one for each worker that there is room for."""
    if keras.backend.backend() == "jax":
        import jax

        return len(jax.devices()) if jax.devices()[0].platform == "gpu" else 1
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU")) or worker_capacity()


def on_tensorflow_cpu() -> bool:
    """Whether it is TensorFlow that computes, and on the CPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU")


def found_device() -> Device:
    """What this process computes on."""
    kind, _ = _kind_and_capability()
    return Device(kind, device_name(), _device_count(kind), resolve_precision("auto"))


def describe_environment() -> dict[str, str]:
    """Versions and hardware of this process, for the records of a run."""
    packages, device = ("keras", keras.backend.backend(), "numpy", "pandas", "scikit-learn"), found_device()
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "device": device.name,
        "devices": str(device.count),
        "cores": str(cores()),
        "platform": platform.platform(),
    }


def _room_on_gpus(gpus: int) -> int:
    """Worker processes that keep the GPUs busy, with a core for each."""
    return max(gpus, min(PROCESSES_PER_GPU * gpus, cores()))


def _room_on_cpu() -> int:
    """Worker processes that cores and memory allow."""
    return max(1, min(cores(), (usable_memory() or 0) // MEMORY_PER_WORKER))


def device_name() -> str:
    """Name of the device that computes, such as "Tesla T4" or the model of the CPU."""
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform != "cpu":
            return str(device.device_kind)
    else:
        import tensorflow as tf

        for gpu in tf.config.get_visible_devices("GPU"):
            return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
    models = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def resolve_precision(requested: str) -> str:
    """The Keras dtype policy for a config's `precision`.

    Returns:
        `requested`, or, for "auto": "mixed_bfloat16" on CPUs with AMX or AVX512-BF16, on GPUs from Ampere (compute
        capability 8) and on TPUs; "mixed_float16" on Volta and Turing GPUs (7), such as the T4; else "float32".
    """
    if requested != "auto":
        return requested
    kind, capability = _kind_and_capability()
    if kind == "tpu":
        return "mixed_bfloat16"
    if kind == "gpu":
        return "mixed_bfloat16" if capability >= 8 else "mixed_float16" if capability >= 7 else "float32"
    # On CPU it is TensorFlow's oneDNN kernels that use these instructions.
    return "mixed_bfloat16" if keras.backend.backend() == "tensorflow" and cpu_has_bfloat16() else "float32"


def _device_count(kind: str) -> int:
    """How many GPUs, or cores of a TPU, there are for the run; 1 on the CPU."""
    if kind == "cpu":
        return 1
    if keras.backend.backend() == "jax":
        import jax

        return len(jax.devices())
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _kind_and_capability() -> tuple[str, int]:
    """Kind of the device that computes (cpu, gpu or tpu) and the major compute capability of a GPU, else 0."""
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        return device.platform, int(float(getattr(device, "compute_capability", 0) or 0))
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return "cpu", 0
    return "gpu", tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))[0]


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16."""
    return any(BFLOAT16_CPU_FLAGS & set(line.split()) for line in _cpuinfo() if line.startswith("flags"))


def _cpuinfo() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
