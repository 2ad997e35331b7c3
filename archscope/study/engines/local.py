"""The local engine: worker processes, each with a limit on time and memory.

::

    driver   | task ------>           |            | result | done | task ------>
    worker   | (imports torch) ready  | the run .. started ...... |
                                      |<- seconds ->|<- seconds ->|

Torch is imported once in a process, which then carries out many tasks, and is replaced when it has
grown or worked long enough, or when a network has changed what torch makes tensors with. A worker
that takes too long or too much is ended, and what it was at has failed. One that another has ended
is replaced, and its task is tried once more. A measurement waits until its device is free: the CPU
when no other worker is at work, a GPU when none is on it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from socket import socketpair
from typing import IO

from archscope.errors import ArchscopeError
from archscope.machine import cores, memory_available
from archscope.study.records import Cell, Result, Task
from archscope.study.work import failure

ATTEMPTS = 2
TASKS_OF_A_PROCESS = 1000  # two seconds to import torch and timm, two minutes of traces
_STARTUP_SECONDS = 300.0
_STARTUPS = 3  # in a row that may fail
_LOOK = 0.1  # s between two looks at time and memory
_LEAVING = 10.0  # s from the last word of a process to its end


def engine(*, workers: int | None = None, address: str | None = None) -> Local:
    """The local engine.

    Args:
        workers: how many processes; as many as there are cores by default.
        address: of a cluster, which this engine does not have.

    Raises:
        ArchscopeError: an address is given.
    """
    if address is not None:
        raise ArchscopeError("an address is for --engine ray; the local engine has none")
    return Local(workers or cores())


class Local:
    """An ``Engine`` of processes on this machine."""

    def __init__(self, workers: int):
        """With so many processes."""
        self.workers = workers

    @cache  # noqa: B019  # one engine a command
    def title(self, device: str) -> str:
        """The name of the processor or GPU."""
        from archscope.measure.devices import device_at_hand

        return device_at_hand(device).title

    def submit(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of all cells, as they come; the processes end with the iterator.

        A task without a limit of memory has an equal share of what is available now.

        Raises:
            ArchscopeError: processes do not start.
        """
        pool = Pool(self.workers)
        try:
            available = memory_available()
            share = available // self.workers if available else None
            yield from pool.carry_out(_limited(task, share) for task in tasks)
        finally:
            pool.close()


def _limited(task: Task, share: int | None) -> Task:
    if task.limits.memory_bytes is not None:
        return task
    return replace(task, limits=replace(task.limits, memory_bytes=share))


@dataclass
class _Assigned:
    """A task that a worker is at."""

    task: Task
    attempt: int
    remaining: list[Cell]
    moved: float  # when it last told something
    started: bool = False


class _Worker:
    """A process, and what it is at."""

    def __init__(self) -> None:
        ours, theirs = socketpair()
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        # With the driver's own path, and without the directory that `-m` would put before it.
        command = [sys.executable, "-P", "-m", "archscope.study.engines.worker"]
        self.process = subprocess.Popen(
            [*command, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            start_new_session=True,  # an interrupt at the terminal is for the driver
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.began = time.monotonic()
        self.ready = False
        self.at_first = 0  # bytes that it held when it was ready
        self.tasks = 0
        self.assigned: _Assigned | None = None

    @property
    def idle(self) -> bool:
        return self.ready and self.assigned is None

    def assign(self, task: Task, attempt: int) -> None:
        self.assigned = _Assigned(task, attempt, list(task.cells), time.monotonic())
        self.tasks += 1
        self.connection.send(task)

    def rss(self) -> int:
        """Bytes that the process holds; 0 where the system does not say."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        """Kill it and all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()
        self.errors.close()

    def status(self) -> int:
        """How it ends, now that its connection is no longer of use."""
        try:
            return self.process.wait(_LEAVING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def last_words(self) -> str:
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 2000))
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


class Pool:
    """The workers, and the tasks that wait for one of them."""

    def __init__(self, size: int):
        self.size = size
        self.workers: list[_Worker] = []
        self.waiting: deque[tuple[Task, int]] = deque()  # with the number of the attempt
        self.failed_startups = 0
        self.looked = 0.0  # when time and memory were last looked at

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.workers.clear()

    def carry_out(self, tasks: Iterator[Task]) -> Iterator[Result]:
        while self._wait_for(tasks) or any(worker.assigned for worker in self.workers):
            self._assign()
            self._start_workers()
            for worker in self._spoken():
                yield from self._heard(worker)
            if time.monotonic() - self.looked > _LOOK:
                for worker in list(self.workers):
                    yield from self._looked_at(worker)
                self.looked = time.monotonic()

    def _wait_for(self, tasks: Iterator[Task]) -> bool:
        """Take no more tasks than there are processes; whether one waits."""
        while len(self.waiting) < self.size and (task := next(tasks, None)):
            self.waiting.append((task, 1))
        return bool(self.waiting)

    def _assign(self) -> None:
        while self.waiting and (worker := self._free_for(self.waiting[0][0])):
            try:
                worker.assign(*self.waiting[0])
            except OSError:  # it has ended since it was last looked at
                self._remove(worker)
            else:
                self.waiting.popleft()

    def _free_for(self, task: Task) -> _Worker | None:
        busy = {w.assigned.task.device for w in self.workers if w.assigned is not None}
        in_the_way = busy if task.device == "cpu" else busy & {"cpu", task.device or "cpu"}
        if in_the_way:
            return None
        return next((worker for worker in self.workers if worker.idle), None)

    def _start_workers(self) -> None:
        """As many as have something to do; what runs alone needs one."""
        if not self.waiting:
            return
        wanted = 1 if self.waiting[0][0].device == "cpu" else len(self.waiting)
        wanted -= sum(worker.assigned is None for worker in self.workers)
        for _ in range(min(wanted, self.size - len(self.workers))):
            self.workers.append(_Worker())

    def _spoken(self) -> list[_Worker]:
        by_connection = {worker.connection: worker for worker in self.workers}
        spoken = wait(list(by_connection), timeout=_LOOK) if by_connection else []
        return [by_connection[one] for one in spoken]  # type: ignore[index]

    def _heard(self, worker: _Worker) -> Iterator[Result]:
        try:
            kind, value = worker.connection.recv()
        except Exception:  # its end, or what a network wrote there, which may be anything
            yield from self._ended(worker)
            return
        if kind == "ready":
            worker.ready, worker.at_first, self.failed_startups = True, value, 0
            return
        assigned = worker.assigned
        assert assigned is not None
        assigned.moved = time.monotonic()
        if kind == "started":
            assigned.started = True
        elif kind == "result":
            assigned.remaining = [c for c in assigned.remaining if c.key != value.key]
            yield replace(value, attempts=assigned.attempt)
        elif kind == "done":
            worker.assigned = None
            rss, is_as_before = value
            if (
                worker.tasks >= TASKS_OF_A_PROCESS
                or _has_grown(worker, rss, assigned.task)
                or not is_as_before
            ):
                self._remove(worker)

    def _looked_at(self, worker: _Worker) -> Iterator[Result]:
        """End a worker that takes too long or too much, and miss one that is gone."""
        if worker.process.poll() is not None:
            if not worker.connection.poll():  # a process that it started may keep the socket open
                yield from self._ended(worker)
            return
        assigned, now = worker.assigned, time.monotonic()
        if assigned is None:
            if not worker.ready and now - worker.began > _STARTUP_SECONDS:
                self._not_started(worker, f"not ready after {_STARTUP_SECONDS:.0f} s")
            return
        limits = assigned.task.limits
        if now - assigned.moved > limits.seconds:
            yield from self._stopped(worker, f"took more than {limits.seconds:g} s")
        elif limits.memory_bytes and worker.rss() > limits.memory_bytes:
            yield from self._stopped(worker, f"needs more memory than {_size(limits.memory_bytes)}")

    def _stopped(self, worker: _Worker, reason: str) -> Iterator[Result]:
        """What a worker was at has failed; cells that it had not come to are left for another."""
        assigned = worker.assigned
        assert assigned is not None
        self._remove(worker)
        guilty = assigned.remaining[:1] if assigned.started else assigned.remaining
        yield from (failure(cell, reason, attempts=assigned.attempt) for cell in guilty)
        rest = tuple(cell for cell in assigned.remaining if cell not in guilty)
        if rest:
            self.waiting.appendleft((replace(assigned.task, cells=rest), assigned.attempt))

    def _ended(self, worker: _Worker) -> Iterator[Result]:
        """A worker has ended by itself, or somebody has ended it."""
        status = worker.status()
        words, assigned = worker.last_words(), worker.assigned
        if assigned is None:
            if worker.ready:
                self._remove(worker)
            else:
                self._not_started(worker, words or _manner(status))
        elif assigned.attempt < ATTEMPTS:
            self._remove(worker)
            rest = tuple(assigned.remaining)
            if rest:
                self.waiting.appendleft((replace(assigned.task, cells=rest), assigned.attempt + 1))
        else:
            reason = f"its process {_manner(status)}, {ATTEMPTS} times"
            yield from self._stopped(worker, f"{reason}: {words}" if words else reason)

    def _not_started(self, worker: _Worker, reason: str) -> None:
        self._remove(worker)
        self.failed_startups += 1
        if self.failed_startups >= _STARTUPS:
            raise ArchscopeError(f"worker processes do not start: {reason}")

    def _remove(self, worker: _Worker) -> None:
        worker.end()
        self.workers.remove(worker)


def _has_grown(worker: _Worker, rss: int, task: Task) -> bool:
    """Whether half of the memory that a process had left is gone, to a leak or to packages."""
    most = task.limits.memory_bytes
    return bool(most) and rss > (worker.at_first + (most or 0)) / 2


def _manner(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _size(count: int) -> str:
    from archscope.report.numbers import memory

    return memory(count)
