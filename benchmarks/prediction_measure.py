"""Latencies from which predictions are learned: many networks, in rounds, on the device at hand.

Every round measures every network anew, so that the rounds of one network are minutes apart: what
disturbed one of them may be gone in the next. The time of the process itself is taken beside the
clock's: where another process took a core away, the clock went on and the process did not. On one
thread of a CPU it is the better of the two on a machine that does other things as well.
"""

from __future__ import annotations

import csv
import gc
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch

from archscope.errors import ArchscopeError
from archscope.measure import latency
from archscope.measure.calibration import calibrate
from archscope.measure.devices import Cpu, Device, device_at_hand
from archscope.measure.environment import environment
from archscope.measure.sampling import Sample
from benchmarks.prediction_networks import NETWORKS, UNSEEN, UNSEEN_FAMILY

DATA = Path(__file__).parents[1] / "reports" / "data"
MEASURED = ("input_shape", "status", "runs", "latency_ms_p50", "latency_ms_iqr", "steady")
COLUMNS = (
    *("round", "family", "model", "batch", "threads", "dtype"),
    *MEASURED,
    *("latency_ms_min", "cpu_ms_p50", "busy", "disturbed", "date"),
)


@dataclass
class WatchedCpu(Cpu):
    """The CPU; it notes in addition the process's own time of every run, in threads' seconds."""

    own: dict[float, float] = field(default_factory=dict)  # by the run's wall time in ms

    def __post_init__(self) -> None:
        super().__init__()

    def sample(self, run: Callable[[], Any], *, cold: bool = False) -> Sample:
        worked, start = process_time(), perf_counter()
        run()
        seconds = perf_counter() - start
        self.own[1e3 * seconds] = (process_time() - worked) / torch.get_num_threads()
        return Sample(seconds, seconds)


@dataclass(frozen=True)
class Plan:
    """What is measured: every network at each of these settings, so many times."""

    threads: tuple[int | None, ...] = (1, 2)
    batches: tuple[int, ...] = (1, 4)
    rounds: int = 2
    max_seconds: float = 1.0

    def cells(self) -> Iterator[tuple[int, str, str, int, int | None]]:
        """Round, family, network, batch, threads."""
        for turn in range(1, self.rounds + 1):
            for threads in self.threads:
                for family, models in (*NETWORKS.items(), (UNSEEN_FAMILY, UNSEEN)):
                    for model in models:
                        for batch in self.batches:
                            yield turn, family, model, batch, threads


def measure(
    name: str,
    device: str,
    plan: Plan,
    told: Callable[[str], None],
    folder: Path = DATA,
    budget: float = math.inf,
) -> Path:
    """Measure what the table of that name lacks, a row at a time; a run that stopped goes on.

    Args:
        name: of the table, after the device: "cpu-amd-epyc".
        device: "cpu" or "cuda".
        plan: what to measure.
        told: what was measured.
        folder: where the table is.
        budget: seconds after which no network is begun.
    """
    until = perf_counter() + budget
    table = folder / f"latency-{name}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    at_hand = WatchedCpu() if device == "cpu" else device_at_hand(device)
    done = {_cell(row) for row in read(table)} if table.exists() else set()
    cells = [cell for cell in plan.cells() if tuple(map(str, cell)) not in done]
    turn = None
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for at, cell in enumerate(cells):
            if perf_counter() > until:
                told(f"no time for {len(cells) - at} more; the same command goes on with them")
                break
            if cell[0] != turn:
                turn = cell[0]
                _calibrate(table.with_suffix(".json"), at_hand, plan)
            row = _measured(at_hand, plan, *cell)
            writer.writerow(row)
            file.flush()
            told(f"{at + 1} of {len(cells)}: {cell} {row['latency_ms_p50']} ms, {row['busy']}")
    return table


def read(table: Path) -> list[dict[str, str]]:
    """The rows of a table as text."""
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def _cell(row: Mapping[str, str]) -> tuple[str, ...]:
    return row["round"], row["family"], row["model"], row["batch"], row["threads"] or "None"


def _measured(
    device: Device, plan: Plan, turn: int, family: str, model: str, batch: int, threads: int | None
) -> dict[str, Any]:
    watched = device if isinstance(device, WatchedCpu) else None
    if watched is not None:
        watched.own.clear()
    try:
        found = latency(
            model, device=device, batch=batch, threads=threads, max_seconds=plan.max_seconds
        ).iloc[0]
    except ArchscopeError as error:
        found = {"runs": 0, "samples_ms": (), "input_shape": (), "status": str(error)}
    gc.collect()
    walls = found["samples_ms"]
    own = [1e3 * watched.own[wall] for wall in walls] if watched else []
    row = {
        **dict.fromkeys(COLUMNS),
        **{name: found.get(name) for name in (*MEASURED, "dtype", "disturbed")},
        "round": turn,
        "family": family,
        "model": model,
        "batch": batch,
        "threads": threads,
        "input_shape": "x".join(map(str, found["input_shape"])),
        "latency_ms_min": min(walls, default=None),
        "cpu_ms_p50": median(own) if own else None,
        "busy": sum(own) / sum(walls) if own else None,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {name: round(v, 5) if isinstance(v, float) else v for name, v in row.items()}


def _calibrate(path: Path, device: Device, plan: Plan) -> None:
    """The device's ceilings and the conditions, beside the table; of each ceiling the highest."""
    threads = [count for count in plan.threads if count is not None]
    known = json.loads(path.read_text())["ceilings"] if path.exists() else []
    rows = {row["threads"]: row for row in known}
    for row in calibrate(device, threads=threads):
        before = rows.get(row["threads"])
        rows[row["threads"]] = row if before is None else _higher(row, before)
    found = {
        "device": device.name,
        "title": device.title,
        "processor": _processor(device),
        "method": "archscope.latency: fp32, inference, eager, random data; a row per round. "
        "Ceilings: of every round's calibration the highest",
        "environment": environment(),
        "ceilings": list(rows.values()),
    }
    path.write_text(json.dumps(found, indent=2) + "\n")


def _processor(device: Device) -> str:
    """The title, and of a CPU the numbers that tell processors of one title apart."""
    if device.name != "cpu":
        return device.title
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {name.strip(): value.strip() for name, value in fields.items()}
    return f"{device.title} (family {found['cpu family']}, model {found['model']})"


def _higher(row: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    rates = {
        dtype: max(rate or 0, other["tflops"].get(dtype) or 0) or None
        for dtype, rate in row["tflops"].items()
    }
    bandwidths = {
        name: max(row[name], other[name])
        for name in ("bandwidth_gb_s", "cache_gb_s")
        if row[name] is not None
    }
    return {**row, "tflops": rates, **bandwidths}
