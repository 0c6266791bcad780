"""What the machine gives this process: cores and memory, also where a container grants less; processor and packages."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from joblib import cpu_count

MEMORY_PER_WORKER = 2 << 30  # bytes; one takes about 1.2 GiB on the competition's data
PROCESSES_PER_GPU = 2  # while the host prepares the next call of one small network, the other computes
CGROUPS, MEMBERSHIP, CPUINFO = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"), Path("/proc/cpuinfo")
BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


def cores() -> int:
    """Cores that this process may use, by its affinity and its CPU quota."""
    return cpu_count()


def usable_memory(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes of memory that this process and its children may use; None where the system does not say.

    Linux mounts its control groups, of version 1 or 2, at the first path; the second names those of this process.
    """
    if not hasattr(os, "sysconf"):
        return None  # Windows
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([installed, *_limits(cgroups, membership)])


def _limits(cgroups: Path, membership: Path) -> list[int]:
    """The memory limits of this process's control group and of all groups around it."""
    lines = membership.read_text(errors="replace").splitlines() if membership.exists() else []
    limits = []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers == "":  # version 2
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = root / path.strip("/")
        for folder in (group, *group.parents):
            limit = folder / name
            if limit.exists() and (text := limit.read_text().strip()) != "max":
                limits.append(int(text))
    return limits


def room_on_cpu() -> int:
    """Worker processes that cores and memory allow."""
    return max(1, min(cores(), (usable_memory() or 0) // MEMORY_PER_WORKER))


def room_on_gpus(gpus: int) -> int:
    """Worker processes that keep the GPUs busy, with a core for each."""
    return max(gpus, min(PROCESSES_PER_GPU * gpus, cores()))


def processor() -> str:
    """The model of the CPU; its family, model and stepping too, as "AMD EPYC" is all that some names say."""
    cpu = _cpuinfo()
    numbers = [f"{short} {cpu[key]}" for short, key in (("family", "cpu family"), ("model", "model")) if key in cpu]
    numbers += [f"stepping {cpu['stepping']}"] if "stepping" in cpu else []
    name = cpu.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({', '.join(numbers)})" if numbers else name


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16."""
    return bool(BFLOAT16_CPU_FLAGS & set(_cpuinfo().get("flags", "").split()))


def cpu_is_faster_in_bfloat16() -> bool:
    """Whether the CPU trains faster in bfloat16 than in float32: one with AMX, or with AMD's AVX512-BF16.

    With Intel's AVX512-BF16 alone, training takes 1.5 times as long as in float32 (docs/speed.md).
    """
    is_amd = _cpuinfo().get("vendor_id") == "AuthenticAMD"
    return "amx_bf16" in _cpuinfo().get("flags", "").split() or (is_amd and cpu_has_bfloat16())


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first core, by name."""
    first = CPUINFO.read_text(errors="replace").partition("\n\n")[0] if CPUINFO.exists() else ""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}


def installed_version(package: str) -> str:
    """The version of a package on this machine, in words."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
