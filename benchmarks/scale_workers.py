"""Cells per second by workers of the local engine and by Ray nodes of one core: parts of `scale`.

With n workers a study has the same networks of timm, drawn by chance, at n batch sizes: each
worker has as much to do as one alone, and a trace costs the same at every batch size. The rate is
that from the first tenth of the cells to the last, while all workers are at work; importing torch
and timm is before it. **alone** is what the machine itself gives: n processes that share nothing,
each with no driver, engine or store, at work at once. **driver** has as many workers as there are
cores and a network of one small layer, so that the driver's own CPU time for a cell is seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.resumable import Rows
from benchmarks.scale_store import about, command_of, drawn, environment

MODELS, QUICK_MODELS = 200, 12
ROUNDS = {"alone": 1, "local": 2, "ray": 2}
_MARK = "ARCHSCOPE_SCALE"  # in the environment of a run's processes, wherever they are started
_WORKER = b"archscope.study.engines.worker"
_EVERY = 0.5  # s between two looks at the workers
_STORE = 80 << 20  # bytes of a Ray node's object store
SMALL_TASKS = 1000  # of each worker
_SMALL = """
import torch


class Net(torch.nn.Linear):
    def __init__(self):
        super().__init__(8, 8)
"""


def measure(rows: Rows, place: Path, part: str, *, quick: bool) -> None:
    """Measure one part with one worker to as many as there are cores."""
    cores = len(os.sched_getaffinity(0))
    engine = "local" if part == "workers" else "ray"
    for case in ("alone", engine) if part == "workers" else (engine,):
        for round_ in range(1, 2 if quick else ROUNDS[case] + 1):
            for workers in range(1, min(cores, 2 if quick else cores) + 1):
                name = {"part": part, "case": case, "size": workers, "round": round_}
                if not rows.has(**name):
                    models = drawn(QUICK_MODELS if quick else MODELS)
                    found = _measured(case, place, models, workers)
                    rows.add(name | {"models": len(models)} | found | about())
    name = {"part": part, "case": f"{engine} driver", "size": cores, "round": 1}
    if not rows.has(**name):
        found = _of_the_driver(engine, place, cores, SMALL_TASKS // (10 if quick else 1))
        rows.add(name | found | about())


def _measured(case: str, place: Path, models: list[str], workers: int) -> dict[str, Any]:
    grid = place / "workers.json"
    if case == "alone":
        write(grid, {"models": models[: len(models) // 2]})
        return _alone(place, grid, workers)
    write(grid, {"models": models, "batch": list(range(1, workers + 1))})
    return _studied(case, place, grid, workers)


def _of_the_driver(case: str, place: Path, workers: int, tasks: int) -> dict[str, Any]:
    grid = place / "driver.json"
    (place / "small.py").write_text(_SMALL, encoding="utf-8")
    batch = list(range(1, workers * tasks + 1))
    write(grid, {"models": ["small.py:Net"], "input": ["8"], "batch": batch})
    return _studied(case, place, grid, workers)


def write(path: Path, grid: dict[str, Any]) -> None:
    """Write a grid for a driver."""
    path.write_text(json.dumps(grid), encoding="utf-8")


def _studied(case: str, place: Path, grid: Path, workers: int) -> dict[str, Any]:
    if case == "local":
        mark = {_MARK: uuid.uuid4().hex}
        return _run(place, grid, mark, engine="local", workers=workers, address=None)
    mark = {_MARK: uuid.uuid4().hex, "RAY_USAGE_STATS_ENABLED": "0"}
    with _cluster(workers, mark) as address:
        return _run(place, grid, mark, engine="ray", workers=None, address=address)


def _alone(place: Path, grid: Path, processes: int) -> dict[str, Any]:
    command = command_of("alone", {"grid": str(grid)})
    running = [
        subprocess.Popen(
            command, cwd=place, env=environment(), stdout=subprocess.PIPE, stderr=None, text=True
        )
        for _ in range(processes)
    ]
    told = [json.loads(process.communicate()[0]) for process in running]
    return {
        "cells": sum(one["cells"] for one in told),
        "failed": sum(one["failed"] for one in told),
        "rate_per_s": sum(one["rate_per_s"] for one in told),
    }


def _run(place: Path, grid: Path, mark: dict[str, str], **how: Any) -> dict[str, Any]:
    """One study from nothing."""
    store = place / f"{uuid.uuid4().hex}.db"
    command = command_of("run", {"store": str(store), "grid": str(grid)} | how)
    watch = _Watch(mark[_MARK])
    with (
        subprocess.Popen(
            command, cwd=place, env=environment() | mark, stdout=subprocess.PIPE, text=True
        ) as process,
        watch,
    ):
        text = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"the study ended with status {process.returncode}")
    return json.loads(text) | watch.found() | {"store_bytes": store.stat().st_size}


@contextmanager
def _cluster(nodes: int, mark: dict[str, str]) -> Iterator[str]:
    """A Ray cluster of so many nodes of one core, the head among them."""
    before = {name: os.environ.get(name) for name in (*mark, "PYTHONPATH")}
    os.environ |= environment() | mark
    from ray.cluster_utils import Cluster

    one = {"num_cpus": 1, "object_store_memory": _STORE}
    cluster = Cluster(initialize_head=True, head_node_args=one | {"include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            cluster.add_node(**one)
        yield cluster.address
    finally:
        cluster.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


class _Watch:
    """The memory of the worker processes of one run, whoever has started them."""

    def __init__(self, mark: str):
        self.mark = f"{_MARK}={mark}".encode()
        self.seen: dict[str, tuple[int, int]] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def found(self) -> dict[str, Any]:
        """The most bytes that each worker held, and with shared pages divided among processes."""
        resident, proportional = zip(*sorted(self.seen.values()), strict=True)
        return {"worker_bytes": resident, "worker_pss_bytes": proportional}

    def _watch(self) -> None:
        while not self.over.wait(_EVERY):
            for place in self._workers():
                with suppress(OSError):  # it may have ended
                    held = _held(place)
                    before = self.seen.get(place.name, (0, 0))
                    self.seen[place.name] = max(held[0], before[0]), max(held[1], before[1])

    def _workers(self) -> Iterator[Path]:
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_worker = _WORKER in (place / "cmdline").read_bytes()
                if is_worker and self.mark in (place / "environ").read_bytes().split(b"\0"):
                    yield place


def _held(process: Path) -> tuple[int, int]:
    """Resident and proportional bytes."""
    lines = (process / "smaps_rollup").read_text().splitlines()
    found = {name: rest for name, _, rest in (line.partition(":") for line in lines[1:])}
    resident, proportional = (int(found[name].split()[0]) * 1024 for name in ("Rss", "Pss"))
    return resident, proportional
