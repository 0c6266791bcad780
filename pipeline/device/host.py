"""What the machine gives this process: cores and memory, also where a container or a batch system grants less."""

import os
from pathlib import Path

from joblib import cpu_count

MEMORY_PER_WORKER = 2 << 30  # bytes; one takes about 1.2 GiB on the competition's data
PROCESSES_PER_GPU = 2  # while the host prepares the next call of one small network, the other computes
CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cores() -> int:
    """Cores that this process may use, by its affinity and its CPU quota."""
    return cpu_count()


def usable_memory(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Bytes of memory that this process and its children may use; None where the system does not say.

    Args:
        cgroups: Where the control groups of Linux are mounted, of version 1 or 2.
        membership: The file that names the groups of this process.
    """
    if not hasattr(os, "sysconf"):
        return None  # Windows
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([installed, *_limits(cgroups, membership)])


def _limits(cgroups: Path, membership: Path) -> list[int]:
    """The memory limits of this process's control group and of all groups around it."""
    lines = membership.read_text().splitlines() if membership.exists() else []
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
