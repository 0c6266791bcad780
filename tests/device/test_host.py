"""Limits of control groups, read from files laid out as Linux lays them out."""

import os

import pytest

from pipeline.device import host
from pipeline.device.host import cores, usable_memory

GIB = 1 << 30
INSTALLED = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/", {"memory.max": f"{GIB}"}, GIB),
        ("0::/job/step", {"job/step/memory.max": "max", "job/memory.max": f"{GIB}"}, GIB),
        ("0::/job/step", {"job/step/memory.max": f"{GIB}", "job/memory.max": f"{2 * GIB}"}, GIB),
        ("0::/job", {"other/memory.max": f"{GIB}", "job/memory.max": f"{INSTALLED * 2}"}, INSTALLED),
        (
            "9:name=systemd:/\n4:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n0::/",
            {"memory/docker/1f/memory.limit_in_bytes": f"{GIB}", "memory/memory.limit_in_bytes": "9223372036854771712"},
            GIB,
        ),
        # In a container the group is the root of what it sees, whatever its name is outside.
        ("4:memory:/docker/1f", {"memory/memory.limit_in_bytes": f"{GIB}"}, GIB),
    ],
)
def test_memory_is_the_least_of_all_that_limits_it(membership, files, expected, tmp_path):
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert usable_memory(tmp_path / "fs", tmp_path / "cgroup") == expected


def test_a_system_without_control_groups(tmp_path):
    assert usable_memory(tmp_path / "none", tmp_path / "nothing") == INSTALLED


def test_cores_are_those_that_may_be_used(monkeypatch):
    assert 1 <= cores() <= os.cpu_count()
    if len(os.sched_getaffinity(0)) > 1:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            assert cores() == 1
        finally:
            os.sched_setaffinity(0, before)


@pytest.mark.parametrize(("cores", "gibibytes", "room"), [(8, 16, 8), (8, 5, 2), (8, 1, 1)])
def test_memory_limits_the_workers_as_well_as_cores(cores, gibibytes, room, monkeypatch):
    monkeypatch.setattr(host, "cores", lambda: cores)
    monkeypatch.setattr(host, "usable_memory", lambda: gibibytes * 2**30)
    assert host.room_on_cpu() == room


@pytest.mark.parametrize(("gpus", "cores", "room"), [(2, 16, 4), (2, 3, 3), (4, 2, 4)])
def test_two_processes_share_a_gpu_where_there_are_cores_to_feed_them(gpus, cores, room, monkeypatch):
    monkeypatch.setattr(host, "cores", lambda: cores)
    assert host.room_on_gpus(gpus) == room


def test_processors_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CPUINFO", tmp_path / "cpuinfo")
    names = []
    for model in (17, 2):
        core = f"model name\t: AMD EPYC\ncpu family\t: 26\nmodel\t\t: {model}\nstepping\t: 1\nflags\t\t: fpu\n\n"
        host.CPUINFO.write_text(core + core.replace("26", "99"))
        names.append(host.processor())
    assert names == ["AMD EPYC (family 26, model 17, stepping 1)", "AMD EPYC (family 26, model 2, stepping 1)"]
    host.CPUINFO.unlink()
    assert host.processor()  # a system that says less
