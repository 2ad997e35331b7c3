"""What runs on the nodes of a Ray cluster: a task, in a process of the local engine.

Ray decides where a task runs and has it tried again elsewhere when a machine is lost. Limits on its
time and memory, and what becomes of a network that breaks them, are the local engine's: each of
Ray's worker processes has one of its processes, and keeps it for the tasks that come after.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from archscope.study.engines.local import Local, Pool
from archscope.study.keys import fingerprint
from archscope.study.records import Result, Task

# What Ray sets for its own process and the networks' must not inherit.
_SET_BY_RAY = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Driver:
    """Where the driver is, which is where relative paths begin; its ``path`` of modules, but for
    what is installed, which each machine has its own of; and its number of threads."""

    directory: str
    path: tuple[str, ...]
    threads: str | None

    @staticmethod
    def here() -> Driver:
        """Of this process."""
        installed = tuple(sysconfig.get_paths().values())
        path = tuple(place for place in sys.path if place and not place.startswith(installed))
        return Driver(os.getcwd(), path, os.environ.get(_SET_BY_RAY))


@dataclass
class _Kept:
    """The pool of this process, and the GPUs that its process sees."""

    pool: Pool
    visible: str | None


_kept: list[_Kept] = []  # one at most


def carried_out(task: Task, driver: Driver) -> list[Result]:
    """The results of all cells of a task.

    Raises:
        ArchscopeError: processes do not start here.
    """
    _live_as(driver)
    return list(_pool().carry_out(iter([task])))


def title(device: str) -> str:
    """What a device is on this node."""
    return Local(1).title(device)


def versions() -> dict[str, str]:
    """The versions here that every result depends on."""
    return fingerprint("")


def _live_as(driver: Driver) -> None:
    with suppress(OSError):  # a file that is not there is told as such
        os.chdir(driver.directory)
    sys.path += [place for place in driver.path if place not in sys.path]
    environment: Mapping[str, str | None] = {_SET_BY_RAY: driver.threads}
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _pool() -> Pool:
    """A process sees the GPUs that it started with, and Ray may now have given another one."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if _kept and _kept[0].visible != visible:
        _kept.pop().pool.close()
    if not _kept:
        _kept.append(_Kept(Pool(1), visible))
    return _kept[0].pool
