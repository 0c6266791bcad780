"""The JAX training step compiled for a T4 without the card: what it launches, what it moves, and how long that takes.

XLA compiles for a GPU that is described to it. The time is an estimate: each kernel takes as long as its bytes at the
memory's speed, at least the time of a launch, and convolutions and products take their arithmetic on top. The room that
cuDNN and cuBLAS get to work in does not count: they need not touch it.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.contest import Pause
from pipeline.config.schema import MemberSpec

PLUGIN_MODULE = "jax_cuda12_plugin"
LABELLED = 42_000  # images of the competition
BANDWIDTH = 240e9  # bytes per second: 3/4 of a T4's 320 GB/s, as copies reach
ARITHMETIC = 20e12  # FLOP/s in float16: a third of a T4's 65 TFLOP/s
LAUNCH = 4e-6  # seconds from one small kernel to the next

# What XLA needs to know of a T4 (NVIDIA's data sheet, and the driver's answers for compute capability 7.5).
TARGET = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 1024
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 65536 shared_memory_per_core: 65536
  core_count: 40 fpus_per_core: 64 clock_rate_ghz: 1.59
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 320000000000 l2_cache_size: 4194304 device_memory_size: 15843721216
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  cuda_compute_capability { major: 7 minor: 5 }
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 3 }
device_description_str: "Tesla T4"
"""

# Instructions that launch nothing.
NO_KERNEL = {"parameter", "get-tuple-element", "tuple", "bitcast", "constant", "after-all"}
BYTES = {"pred": 1, "s8": 1, "u8": 1, "f16": 2, "bf16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8}
COMPUTATION = re.compile(r"^(?:ENTRY )?%(\S+) .*\{$")
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%(\S+) = (.*?) ([a-z][\w-]*)\((.*)$")
SHAPE = re.compile(r"\b([a-z]+\d+|pred)\[([\d,]*)\]")
ROOM = re.compile(r"\b[su]8\[\d+\]")
CALLED = re.compile(
    r"(?:to_apply|body|branch_computations|true_computation|false_computation)=\{?((?:%[\w.-]+(?:, )?)+)"
)
CONVOLUTION = re.compile(r'custom_call_target="__cudnn\$conv(Forward|BackwardInput|BackwardFilter|Bias)')
DIRECTIONS = {
    "Forward": "forward",
    "Bias": "forward",
    "BackwardInput": "backward_input",
    "BackwardFilter": "backward_filter",
}


@dataclass(frozen=True)
class Kernel:
    """One launch."""

    kind: str
    """forward, backward_input or backward_filter of a convolution; else what XLA calls it."""
    bytes: int
    """Read and written, if each operand and result travels once."""


@dataclass(frozen=True)
class Compiled:
    """A training step as a T4 would run it."""

    launches: int
    convolutions: dict[str, int]
    """Launches by direction."""
    megabytes: float
    """Moved."""
    microseconds: float
    """Estimated time."""


def compile_step(pause: Pause, _index: int, spec: MemberSpec) -> None:
    """Report, with the second pause, what a member's training step in float16 is on a T4.

    The report is `Compiled` as a dictionary, with seconds of one core of this machine: compile_seconds, and
    epoch_seconds for what it does around the steps of an epoch of LABELLED images: draws and a checkpoint.
    """
    pause(None)
    started = time.process_time()
    import jax
    from jax.experimental.topologies import get_topology_desc
    from jax.sharding import SingleDeviceSharding

    from benchmarks.layers import flops
    from pipeline.data.augment import DRAWS_PER_IMAGE
    from pipeline.data.digits import SIDE
    from pipeline.training.checkpoint import save
    from pipeline.training.draws import draw_epoch
    from pipeline.training.steps import STEPS_PER_CALL
    from pipeline.training.trainer import Trainer

    batch = spec.recipe.train.batch_size
    member = Trainer(spec, "mixed_float16", np.zeros((batch, 28, 28), np.uint8), np.zeros(batch, np.uint8))
    steps: Any = member.steps
    topology = get_topology_desc("t4", platform="cuda", target_config=TARGET, topology="1x1x1")
    t4 = SingleDeviceSharding(topology.devices[0])
    arguments = (
        steps.values,
        steps.data,
        np.int32(STEPS_PER_CALL),
        np.zeros((STEPS_PER_CALL, batch), np.int64),
        np.zeros((STEPS_PER_CALL, batch, DRAWS_PER_IMAGE), np.float32),
        np.zeros(STEPS_PER_CALL, np.float32),
    )
    described = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=t4), arguments)
    text = steps.run.lower(*described).compile().as_text()
    compiled = time.process_time()
    draw_epoch(spec, 1, np.arange(LABELLED), SIDE)
    with TemporaryDirectory() as folder:
        save(Path(folder), {}, member.variables, [{}])
    seconds = {
        "compile_seconds": round(compiled - started, 1),
        "epoch_seconds": round(time.process_time() - compiled, 2),
    }
    arithmetic = sum(flops(layer) for layer in member.network.layers) * batch / ARITHMETIC
    pause(asdict(estimate(loop_kernels(text), arithmetic)) | seconds)


def loop_kernels(text: str) -> list[Kernel]:
    """The launches of one turn of the largest loop in a compiled module; of branches, the larger one's.

    Args:
        text: The module as XLA prints it.
    """
    computations = _computations(text)

    def kernels(name: str) -> list[Kernel]:
        found: list[Kernel] = []
        for result, opcode, operands, line in computations[name].values():
            if opcode in NO_KERNEL:
                continue
            if opcode in ("while", "conditional", "call"):
                called = [
                    part.strip(" %") for match in CALLED.findall(line) for part in match.split(",") if part.strip()
                ]
                found += _longest(map(kernels, called))
                continue
            if opcode == "custom-call":
                result = ROOM.sub("", result)
            shapes = [result, *(computations[name][o][0] for o in operands if o in computations[name])]
            match = CONVOLUTION.search(line)
            found.append(Kernel(DIRECTIONS[match[1]] if match else opcode, sum(map(_bytes, shapes))))
        return found

    loops = [
        match[1].strip(" %")
        for lines in computations.values()
        for _, opcode, _, line in lines.values()
        if opcode == "while" and (match := re.search(r"body=(%[\w.-]+)", line))
    ]
    return _longest(map(kernels, loops))


def _longest(candidates: Iterable[list[Kernel]]) -> list[Kernel]:
    return max(candidates, key=len)


def estimate(kernels: list[Kernel], arithmetic: float) -> Compiled:
    """What the launches of a step come to.

    Args:
        kernels: The launches.
        arithmetic: Seconds of the step's convolutions and products, which add to their bytes' time.
    """
    kinds = Counter(kernel.kind for kernel in kernels)
    seconds = arithmetic + sum(max(LAUNCH, kernel.bytes / BANDWIDTH) for kernel in kernels)
    return Compiled(
        launches=len(kernels),
        convolutions={direction: kinds[direction] for direction in dict.fromkeys(DIRECTIONS.values())},
        megabytes=round(sum(kernel.bytes for kernel in kernels) / 1e6, 2),
        microseconds=round(seconds * 1e6, 1),
    )


# Name of an instruction -> its result's shape, opcode, operands and line.
Computation = dict[str, tuple[str, str, list[str], str]]


def _computations(text: str) -> dict[str, Computation]:
    found: dict[str, Computation] = {}
    for line in text.splitlines():
        if match := COMPUTATION.match(line):
            inside = found[match[1]] = {}
        elif match := INSTRUCTION.match(line):
            name, result, opcode, rest = match.groups()
            inside[name] = (result, opcode, re.findall(r"%([\w.-]+)", rest.partition(")")[0]), line)
    return found


def _bytes(shape: str) -> int:
    """Size of a shape or of a tuple of them."""
    return sum(
        BYTES.get(kind, 4) * int(np.prod([int(side) for side in sides.split(",") if side]))
        for kind, sides in SHAPE.findall(shape)
    )
