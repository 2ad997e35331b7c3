"""The networks of Canziani et al. on the device at hand, in one command of under ten minutes.

    python -m benchmarks.device_truth [--device cuda] [--quick]

Ceilings, then latency (eager and as a CUDA graph) with peak memory predicted and measured, times by
layer and whether they are the whole, and energy per sample. The time is shared out: each kind of
measurement gets its part of what is left, the most telling batch sizes come first, and what there
was no time for is said to be cut. Rows are kept as they are made: the same command goes on where it
ended, also after Ctrl-C. The last to be printed is a short table; ``<out>/<device>.csv`` has a row
per network and batch size, the ``.json`` beside it everything, with all conditions. What fails is a
row that says why.

It needs torch, click, pandas, matplotlib and rich; energy on a GPU needs nvidia-ml-py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pandas as pd
import torch

from archscope.devices import DTYPES
from archscope.errors import ArchscopeError, first_line
from archscope.measure.calibration import calibrate
from archscope.measure.devices import Device, device_at_hand
from archscope.measure.environment import conditions, versions
from archscope.measure.settings import running
from benchmarks.device_points import POINTS, Bench, CudaMemory, NoMemory
from benchmarks.results import formatted, show
from benchmarks.resumable import Rows

DATA = Path(__file__).parents[1] / "reports" / "data"
NETWORKS = """
    alexnet alexnet-bn nin-bn googlenet resnet18 resnet34 resnet50 resnet101 resnet152 vgg16 vgg19
    inception-v3 inception-v4 rnn lstm gru
"""
QUICK = ("alexnet", "resnet18", "lstm")
BUDGET = 560.0  # s
_CEILINGS = 0.04  # of the budget, at most
_KEY = ("kind", "model", "batch")


@dataclass(frozen=True, slots=True)
class Phase:
    """Measurements of one kind; ``share`` is of the time left when it begins."""

    kind: str
    batches: tuple[int, ...]
    share: float
    least: float  # seconds without which one is not begun


PHASES = (
    Phase("latency", (1, 16, 64), 0.19, 0.5),
    Phase("layers", (1, 16), 0.16, 1.0),
    Phase("energy", (16,), 0.74, 16.0),
    Phase("latency", (4, 32, 8, 2), 1.0, 0.5),
)
QUICK_PHASES = (
    Phase("latency", (1, 4), 0.5, 0.5),
    Phase("layers", (1,), 0.8, 1.0),
    Phase("energy", (1,), 1.0, 16.0),
)


def possible(phases: Sequence[Phase], device: Device) -> list[Phase]:
    """The same where the device counts energy; elsewhere the others share the time for it.

    The rows that say why there is no energy then come first, and take none.
    """
    try:
        device.meter().joules()
    except ArchscopeError:
        energy = [
            replace(phase, share=0.0, least=0.0) for phase in phases if phase.kind == "energy"
        ]
        return energy + _without_energy(phases)
    return list(phases)


def _without_energy(phases: Sequence[Phase]) -> list[Phase]:
    parts, left = [], 1.0
    for phase in phases:
        parts.append((phase, left * phase.share))
        left -= left * phase.share
    kept = [(phase, part) for phase, part in parts if phase.kind != "energy"]
    ahead = [sum(part for _, part in kept[i:]) for i in range(len(kept))]
    return [
        replace(phase, share=part / rest) for (phase, part), rest in zip(kept, ahead, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement that is wanted."""

    kind: str
    model: str
    batch: int


def tasks(phase: Phase, networks: Sequence[str]) -> Iterator[Task]:
    """The batch sizes in their order of importance, each for all networks."""
    for batch in phase.batches:
        for model in networks:
            yield Task(phase.kind, model, batch)


def measure_all(
    bench: Bench,
    phases: Sequence[Phase],
    networks: Sequence[str],
    rows: Rows,
    until: float,
    told: Callable[[str], None],
) -> None:
    """Measure what there is time for until that instant of the device's clock."""
    device = bench.device
    for phase in phases:
        wanted = [task for task in tasks(phase, networks) if not _done(rows, task)]
        end = device.now() + phase.share * (until - device.now())
        for i, task in enumerate(wanted):
            start = device.now()
            left = until - start - _few_runs(rows, task)
            if left < phase.least:
                continue
            told(f"{task.kind} {task.model} batch {task.batch}, {until - start:.0f} s left")
            seconds = max((end - start) * _part(rows, wanted[i:]), phase.least)
            found = _measured(bench, task, min(seconds, left))
            rows.add({**_key(task), **found, "took_s": round(device.now() - start, 2)})
            if found["status"] != "ok":
                _check_alive(device)


def _measured(bench: Bench, task: Task, seconds: float) -> dict[str, Any]:
    """The row of one measurement, also where it failed: the others may do better."""
    try:
        return POINTS[task.kind](bench, task.model, task.batch, seconds)
    except Exception as error:
        line = first_line(error)
        return {"status": f"failed: {type(error).__name__}: {line}"}


def _check_alive(device: Device) -> None:
    """After a fault of the device every call fails in this process.

    Raises:
        ArchscopeError: so it is.
    """
    try:
        device.wait()
    except RuntimeError as error:
        line = str(error).splitlines()[0]
        raise ArchscopeError(
            f"{device.name} does not answer any more ({line}); the same command goes on with the "
            "measurements after this one"
        ) from error


def _ceilings(bench: Bench, seconds: float, told: Callable[[str], None]) -> dict[str, Any]:
    """The calibration's row, also where it failed."""
    try:
        (found,) = calibrate(bench.device, max_seconds=seconds, progress=told)
    except ArchscopeError as error:
        return {"status": f"failed: {error}"}
    if found["status"] == "partial":
        raise KeyboardInterrupt
    return found


def _done(rows: Rows, task: Task) -> bool:
    return rows.has(**_key(task))


def _key(task: Task) -> dict[str, Any]:
    return {"kind": task.kind, "model": task.model, "batch": task.batch}


def _part(rows: Rows, wanted: Sequence[Task]) -> float:
    """Of the time for these tasks what is the first one's: a slow run needs more of it."""
    weights = [1.0 + _few_runs(rows, task) for task in wanted]
    return weights[0] / sum(weights)


def _few_runs(rows: Rows, task: Task) -> float:
    """Seconds that a few runs take at least, from a smaller batch; nothing where that is unknown.

    Runs cannot be cut short: a batch that is too large for the time left is not begun.
    """
    known = [
        row["latency_ms_p50"] / 1e3 * max(task.batch / row["batch"], 1.0)
        for row in rows.all
        if row["model"] == task.model and row.get("latency_ms_p50")
    ]
    return 6 * min(known, default=0.0)


def cut(rows: Rows, phases: Sequence[Phase], networks: Sequence[str]) -> list[Task]:
    """What was wanted and is not there."""
    return [task for phase in phases for task in tasks(phase, networks) if not _done(rows, task)]


def table(rows: Sequence[Mapping[str, Any]], missing: Sequence[Task]) -> pd.DataFrame:
    """A row per network and batch size with the figures of all kinds."""
    points: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        if row["kind"] == "ceilings":
            continue
        point = points.setdefault((row["model"], row["batch"]), {})
        point.update(_figures(row))
    for task in missing:
        point = points.setdefault((task.model, task.batch), {})
        point[f"{task.kind}_status"] = "cut: no time left"
    found = [{"model": model, "batch": batch, **point} for (model, batch), point in points.items()]
    return pd.DataFrame(found)


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of one measurement: numbers and texts, no lists."""
    skipped = (*_KEY, "status", "disturbed", "took_s", "gap_ms")
    plain = {
        key: value
        for key, value in row.items()
        if key not in skipped and not isinstance(value, list)
    }
    kind = row["kind"]
    if kind == "layers":
        plain = {f"layers_{key}": value for key, value in plain.items()}
        plain |= {f"{gap}_ms": value for gap, value in row.get("gap_ms", {}).items()}
    if kind == "energy":
        plain = {key if "_" in key else f"energy_{key}": value for key, value in plain.items()}
        plain["energy_runs"] = plain.pop("runs", None) or plain.get("energy_runs")
    if kind == "latency" and row.get("measured_peak_bytes"):
        expected = row["predicted_peak_bytes"] + row["workspace_bytes"]
        plain["peak_error"] = expected / row["measured_peak_bytes"] - 1
    told = {f"{kind}_status": row["status"], f"{kind}_disturbed": row.get("disturbed", "")}
    return plain | told


def short(frame: pd.DataFrame, batches: Sequence[int]) -> pd.DataFrame:
    """What is printed last: a row per network."""
    lines = {}
    for model, group in frame.groupby("model", sort=False):
        by_batch = {row["batch"]: row for row in group.to_dict("records")}
        line: dict[str, Any] = {}
        for batch in batches:
            point = by_batch.get(batch, {})
            line[f"ms, {batch}"] = _number(point.get("latency_ms_p50"))
            line[f"graph, {batch}"] = _number(point.get("graph_latency_ms_p50"))
        line["off whole"] = _percent(_worst(group, "layers_unexplained"))
        line["peak error"] = _percent(_worst(group, "peak_error"))
        line["mJ"] = _number(_worst(group, "energy_mj"))
        lines[model] = line
    found = formatted(pd.DataFrame.from_dict(lines, orient="index").rename_axis("network"), str)
    return found.loc[:, (found != "").any()]


def _worst(group: pd.DataFrame, column: str) -> float | None:
    """The value that is farthest from nothing."""
    values = group[column].dropna() if column in group else []
    return max(values, key=abs, default=None)


def _number(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.4g}"


def _percent(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{100 * value:+.2f} %"


def write(
    folder: Path, device: Device, bench: Bench, rows: Rows, missing: Sequence[Task], spent: float
) -> pd.DataFrame:
    """Both files, each complete or not there."""
    frame = table(rows.all, missing)
    frame.to_csv(folder / f"{slug(device, bench.dtype)}.csv", index=False)
    about = {
        "device": device.name,
        "title": device.title,
        "dtype": bench.dtype,
        "threads": torch.get_num_threads(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "seconds": round(spent, 1),
        "cut": [f"{task.kind} {task.model} batch {task.batch}" for task in missing],
        **versions(),
        **conditions(device),
    }
    data = {"conditions": about, "rows": rows.all}
    (folder / f"{slug(device, bench.dtype)}.json").write_text(json.dumps(data) + "\n", "utf-8")
    return frame


def slug(device: Device, dtype: str = "fp32") -> str:
    """The device as a file's name: "nvidia-h100-80gb-hbm3", "nvidia-h100-80gb-hbm3-bf16"."""
    name = re.sub(r"[^a-z0-9]+", "-", device.title.lower()).strip("-")
    return name if dtype == "fp32" else f"{name}-{dtype}"


@click.command()
@click.option("--device", "name", default="cuda", metavar="cuda[:N]|cpu")
@click.option("--out", default=DATA, type=click.Path(file_okay=False, path_type=Path))
@click.option("--budget", default=None, type=float, help="Seconds; 560, or 90 with --quick.")
@click.option("--quick", is_flag=True, help="Three networks at two batch sizes.")
@click.option("--dtype", default="fp32", type=click.Choice(DTYPES))
@click.option("--threads", default=None, type=int, help="Of the CPU.")
@click.option("--afresh", is_flag=True, help="Forget what an earlier run left.")
def main(
    name: str,
    out: Path,
    budget: float | None,
    quick: bool,
    dtype: str,
    threads: int | None,
    afresh: bool,
) -> None:
    """Measure the device at hand."""
    device = device_at_hand(name)
    started = device.now()
    budget = budget or (90.0 if quick else BUDGET)
    networks, wanted = (QUICK, QUICK_PHASES) if quick else (NETWORKS.split(), PHASES)
    phases = possible(wanted, device)
    kind = "-".join([slug(device), dtype, *(["quick"] if quick else [])])
    rows = Rows(out / f"{kind}.unfinished.jsonl", _KEY, afresh=afresh)
    memory = CudaMemory(device) if name.startswith("cuda") else NoMemory()
    bench = Bench(device, memory, dtype, threads)

    def told(line: str) -> None:
        click.echo(line, err=True)

    with running(tf32=dtype == "tf32", threads=threads):
        try:
            if not rows.has(kind="ceilings", model="", batch=0):
                found = _ceilings(bench, _CEILINGS * budget / 20, told)
                rows.add({"kind": "ceilings", "model": "", "batch": 0, **found})
            measure_all(bench, phases, networks, rows, started + budget, told)
        except KeyboardInterrupt:
            told("interrupted: the same command goes on from here")
        except ArchscopeError as error:
            told(str(error))
        missing = cut(rows, phases, networks)
        frame = write(out, device, bench, rows, missing, device.now() - started)
    if len(frame):
        show(f"{device.title}, {dtype}", short(frame, [1, 4] if quick else [1, 16, 64]))
    if missing:
        click.echo(f"{len(missing)} measurements were cut; the same command goes on with them.")
    click.echo(f"{out / slug(device, dtype)}.csv and .json; {device.now() - started:.0f} s")


if __name__ == "__main__":
    main()
