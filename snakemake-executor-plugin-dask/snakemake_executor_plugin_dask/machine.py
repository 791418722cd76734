"""How many CPUs and how much memory this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def cpus() -> int:
    """Return the number of CPUs: of the affinity mask, the control group and Slurm, the least."""
    return shared_cpus(os.sched_getaffinity(0))


def shared_cpus(affinity: set[int]) -> int:
    """Return the CPUs that tasks on this machine share, of which `affinity` are the masks' sum."""
    counts = [len(affinity), *_slurm("SLURM_CPUS_ON_NODE")]
    for folder in _cgroup_folders("cpu"):
        match _read(folder / "cpu.max").split():
            case [quota, period] if quota != "max":
                counts.append(int(quota) // int(period))
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota and period and int(quota) > 0:
            counts.append(int(quota) // int(period))
    return max(1, min(counts))


def memory_bytes(shared: int | None = None) -> int:
    """Return the memory in bytes: of the machine, the control group and Slurm, the least.

    What Slurm gives for each CPU is counted for `shared` CPUs, else for those of this process.
    """
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _cgroup_folders("memory"):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            if (text := _read(folder / name)).isdigit():
                sizes.append(int(text))
    sizes += [mb * 2**20 for mb in _slurm("SLURM_MEM_PER_NODE") if mb]
    sizes += [mb * 2**20 * (shared or cpus()) for mb in _slurm("SLURM_MEM_PER_CPU") if mb]
    return min(sizes)


def _slurm(*names: str) -> list[int]:
    if "SLURM_JOB_ID" not in os.environ:
        return []
    return [int(value) for name in names if (value := os.environ.get(name, "")).isdigit()]


def _cgroup_folders(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control group and of those it is in, v1 and v2."""
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controllers if controllers else CGROUPS
        folder = root / name.lstrip("/")
        # In a container the name may be of the host; then only the root is there.
        while True:
            yield folder
            if folder == root or root not in folder.parents:
                break
            folder = folder.parent


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
