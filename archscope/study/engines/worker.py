"""A worker process of the local engine.

    python -m archscope.study.engines.worker SOCKET

Tasks come through an inherited socket, answers go back through it: "ready" once torch is imported,
"started" when the run that a task's cells share is done, each result, and "done"; with "ready" and
"done" the memory that the process then holds, and with "done" whether the process is as it was
before the task. It ends when the driver does.
"""

from __future__ import annotations

import gc
import os
import queue
import resource
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from archscope.sources.defaults import Defaults
from archscope.study.records import Task
from archscope.study.work import reset_peak_rss, results_of

_LONGEST = 1e9  # s that an alarm can wait
_GRACE = 30  # s after which a process that even its driver could not end is ended by the system


def main(descriptor: int) -> None:
    """Carry out tasks until there is no driver any more."""
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    os.register_at_fork(after_in_child=connection.close)  # what a network forks tells nothing here
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
    import torch

    from archscope import analysis  # noqa: F401  # imported before the clock of a task runs

    warnings.simplefilter("ignore")
    # A trace makes many objects that stay until it ends; what was imported stays for good.
    gc.set_threshold(200_000, 20, 20)
    gc.freeze()
    threads, defaults = torch.get_num_threads(), Defaults.now()
    connection.send(("ready", _rss()))
    while True:
        task = tasks.get()
        # Traces take one core each; a measurement has the machine to itself.
        torch.set_num_threads(threads if task.device else 1)
        _forget_what_was_printed()
        with _place_kept():
            _limit(task)
            for result in results_of(task, lambda: connection.send(("started", None))):
                connection.send(("result", result))
                signal.alarm(_alarm(task))
            signal.alarm(0)
        connection.send(("done", (_rss(), Defaults.now() == defaults)))
        reset_peak_rss()


@contextmanager
def _place_kept() -> Iterator[None]:
    """The directory and the environment are those of the driver for every network."""
    place, environment = os.getcwd(), dict(os.environ)
    try:
        yield
    finally:
        os.chdir(place)
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)


def _forget_what_was_printed() -> None:
    """The last words of a process are of the network that it was at, and take no room on disk."""
    with suppress(OSError):  # a terminal, where somebody started it by hand
        os.ftruncate(sys.stderr.fileno(), 0)
        os.lseek(sys.stderr.fileno(), 0, os.SEEK_SET)


def _receive(connection: Connection, tasks: queue.SimpleQueue[Task]) -> None:
    """Read ahead, so that the end of the driver is noticed in the middle of a task."""
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


def _limit(task: Task) -> None:
    """Limits that hold even if nobody watches."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a network may have had one of its own
    signal.alarm(_alarm(task))
    most = task.limits.memory_bytes
    if most is None or task.device.startswith("cuda"):  # CUDA maps more than it uses
        most = resource.RLIM_INFINITY
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _alarm(task: Task) -> int:
    return int(min(task.limits.seconds, _LONGEST)) + _GRACE


def _rss() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not on Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(int(sys.argv[1]))
