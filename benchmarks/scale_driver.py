"""The driver of a study as `scale` watches it: one process that imports no torch.

    python -m benchmarks.scale_driver ACTION JSON

Prints what it measured as one JSON object. ``ACTION`` is

    fill      run a grid with an engine that answers at once with recorded results, to the end or as
              far as it is told: what is left is the driver's own time, planning and writing
    resume    the same without a grid, until the first task and to the end
    run       run a grid with a real engine
    alone     carry out a grid's tasks in this process, with no driver, engine or store: the floor
    command   an ``archscope`` command from its start to its end
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from archscope import study
from archscope.machine import memory_available
from archscope.study.records import Cell, Limits, Result, Task

SAMPLES = 20  # of time and of the driver's memory, over the cells


class Replay:
    """An engine that answers with recorded results in turn, and is interrupted after some."""

    def __init__(self, recorded: dict[str, list[Result]], most: int | None = None):
        """``recorded`` by analysis; ``most`` results are given."""
        self.recorded, self.most = recorded, most
        self.first: _Clock | None = None

    def title(self, device: str) -> str:
        """Nothing is measured."""
        return device

    def submit(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """A result for every cell, at once."""
        given = 0
        for number, task in enumerate(tasks):
            self.first = self.first or _Clock()
            for cell in task.cells:
                if given == self.most:
                    raise KeyboardInterrupt
                answers = self.recorded[cell.analysis]
                given += 1
                yield replace(answers[number % len(answers)], key=cell.key)


def fill(store: str, grid: str, recorded: str, most: int | None) -> dict[str, Any]:
    """Plan a grid and write its results."""
    return _replayed(store, [Path(grid)], recorded, most)


def resume(store: str, recorded: str) -> dict[str, Any]:
    """Go on with a store that was interrupted."""
    return _replayed(store, [], recorded, None)


def _replayed(store: str, grids: Sequence[Path], recorded: str, most: int | None) -> dict[str, Any]:
    asked = [read_grid(path) for path in grids]
    engine = Replay(read_recorded(Path(recorded)), most)
    course = _Course()
    began = _Clock()
    with suppress(KeyboardInterrupt):
        study.run(store, asked, engine, told=course)
    end = _Clock()
    first = engine.first or end
    return {
        "to_first_task_s": first.wall - began.wall,
        "to_first_task_cpu_s": first.cpu - began.cpu,
        "rest_s": end.wall - first.wall,
        "rest_cpu_s": end.cpu - first.cpu,
        "cells_written": course.last - course.first,
        "driver_bytes": course.bytes,
        "driver_peak_bytes": _peak(),
    }


def run(
    store: str, grid: str, engine: str, workers: int | None, address: str | None
) -> dict[str, Any]:
    """Run a grid with the limits that the command would set."""
    asked = read_grid(Path(grid))
    where = study.engine(engine, workers=workers, address=address)
    free = memory_available()
    limits = Limits(memory_bytes=free // workers if free and workers else None)
    course = _Course()
    began = time.perf_counter()
    counts = study.run(store, [asked], where, limits=limits, told=course)
    return {
        "cells": counts["done"] + counts["failed"],
        "failed": counts["failed"],
        "wall_s": time.perf_counter() - began,
        "rate_per_s": course.rate(),
        "driver_cpu_ms_per_cell": 1e3 * course.cpu_of_a_cell(),
        "driver_bytes": course.bytes[1:],  # the first is from before the engine started
        "driver_peak_bytes": _peak(),
    }


def alone(grid: str) -> dict[str, Any]:
    """What one process does without a driver; counted as a study's cells are."""
    import torch

    from archscope.study.work import results_of

    torch.set_num_threads(1)
    asked = read_grid(Path(grid))
    course = _Course()
    tasks = list(_tasks(asked.expanded()))
    total = sum(len(task.cells) for task in tasks)
    done = failed = 0
    for task in tasks:
        for result in results_of(task):
            done += 1
            failed += result.state == "failed"
            course({"pending": total - done, "done": done - failed, "failed": failed})
    return {"cells": done, "failed": failed, "rate_per_s": course.rate()}


def command(arguments: list[str]) -> dict[str, Any]:
    """Seconds and peak memory of an ``archscope`` command.

    A process counts the memory of the one that started it, so that has to be small.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "archscope", *arguments], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall, code = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
    if code:
        raise RuntimeError(f"archscope {' '.join(arguments)[:200]}: status {code}")
    return {"wall_s": wall, "peak_bytes": used.ru_maxrss * 1024}


def _tasks(grid: study.Grid) -> Iterator[Task]:
    for setting in grid.settings():
        cells = tuple(Cell(name, name) for name, _ in grid.analyses_of(setting))
        yield Task(setting, cells, {})


# -- what is kept on the way -----------------------------------------------------------------------


class _Clock:
    """Now: on the wall, and CPU seconds of this process."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()


class _Course:
    """Told the counts after each cell, it keeps some of them, with the time and the memory held."""

    def __init__(self) -> None:
        self.points: list[tuple[int, _Clock]] = []  # cells that were finished, and when
        self.bytes: list[int] = []
        self.first = self.last = self.next = 0

    def __call__(self, counts: dict[str, int]) -> None:
        finished = counts["done"] + counts["failed"]
        if not self.points:
            self.first = finished
        self.last = finished
        if finished >= self.next:
            self.points.append((finished, _Clock()))
            self.bytes.append(_resident())
            whole = finished + counts["pending"] - self.first
            self.next = finished + max(1, whole // SAMPLES)

    def rate(self) -> float:
        """Cells per second from the first tenth to the last: all workers are at work between."""
        (before, began), (after, ended) = self._inner()
        return (after - before) / (ended.wall - began.wall)

    def cpu_of_a_cell(self) -> float:
        """CPU seconds of this process in the same time, for each cell."""
        (before, began), (after, ended) = self._inner()
        return (ended.cpu - began.cpu) / (after - before)

    def _inner(self) -> tuple[tuple[int, _Clock], tuple[int, _Clock]]:
        total = self.points[-1][0]
        inner = [point for point in self.points if 0.1 * total <= point[0] <= 0.9 * total]
        return inner[0], inner[-1]


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell the peak of a process")


# -- files between the benchmark and its drivers ---------------------------------------------------


def read_grid(path: Path) -> study.Grid:
    """A grid from a file of JSON."""
    return study.Grid.of(json.loads(path.read_text(encoding="utf-8")))


def record(store: Path, path: Path) -> None:
    """Write the results of a finished study to a file, for ``Replay``."""
    rows: dict[str, list[dict[str, Any]]] = {}
    columns = "analysis, result, environment, finished, seconds, cpu_seconds, peak_rss_bytes"
    with study.Store(store) as opened:
        for row in opened.connection.execute(
            f"SELECT {columns} FROM results WHERE state = 'done' ORDER BY setting, analysis"
        ):
            values, environment = json.loads(row["result"]), json.loads(row["environment"])
            result = Result("", "done", values, "", environment, *tuple(row)[3:])
            rows.setdefault(row["analysis"], []).append(asdict(result))
    path.write_text(json.dumps(rows), encoding="utf-8")


def read_recorded(path: Path) -> dict[str, list[Result]]:
    """What ``record`` wrote."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {analysis: [Result(**row) for row in found] for analysis, found in rows.items()}


ACTIONS = {"fill": fill, "resume": resume, "run": run, "alone": alone, "command": command}

if __name__ == "__main__":
    print(json.dumps(ACTIONS[sys.argv[1]](**json.loads(sys.argv[2]))))
