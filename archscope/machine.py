"""What this machine has to spare. It needs no torch."""

from __future__ import annotations

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


def _of_machine(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _of_groups(root: Path) -> Iterator[int]:
    """What is left below the limit of each group around this process (cgroup v2)."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, path = line.partition("::")
        if number != "0":
            continue
        own = PurePosixPath(path)
        for group in (own, *own.parents):
            folder = root / "sys/fs/cgroup" / str(group).lstrip("/")
            limit, used = _lines(folder / "memory.max"), _lines(folder / "memory.current")
            if limit and limit[0].isdecimal() and used:
                cached = sum(_reclaimable(folder))
                yield max(int(limit[0]) - int(used[0]) + cached, 0)


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
