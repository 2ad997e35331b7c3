"""What this machine has to spare. It needs no torch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def memory_available(root: Path = Path("/")) -> int | None:
    """Bytes of memory that this process can still take; None where the system does not say.

    It is what the machine has left, or a control group (a container, a job of a cluster) that this
    process is in: where that is used up, the kernel ends processes.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    return min((*_of_machine(root), *_of_groups(root)), default=None)


def cores(root: Path = Path("/")) -> int:
    """The cores that this process may use, of the machine or of a control group.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    most = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    for folder in _groups(root):
        share, _, period = "".join(_lines(folder / "cpu.max")).partition(" ")
        if share.isdecimal() and period.isdecimal():
            most = min(most, math.ceil(int(share) / int(period)))
    return max(most, 1)


def _of_machine(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _of_groups(root: Path) -> Iterator[int]:
    """What is left below the limit of each group."""
    for folder in _groups(root):
        limit, used = _lines(folder / "memory.max"), _lines(folder / "memory.current")
        if limit and limit[0].isdecimal() and used:
            cached = sum(_reclaimable(folder))
            yield max(int(limit[0]) - int(used[0]) + cached, 0)


def _groups(root: Path) -> Iterator[Path]:
    """The folder of each group around this process (cgroup v2)."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, path = line.partition("::")
        if number == "0":
            own = PurePosixPath(path)
            for group in (own, *own.parents):
                yield root / "sys/fs/cgroup" / str(group).lstrip("/")


def _reclaimable(group: Path) -> Iterator[int]:
    for line in _lines(group / "memory.stat"):
        name, _, amount = line.partition(" ")
        if name == "inactive_file":
            yield int(amount)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
