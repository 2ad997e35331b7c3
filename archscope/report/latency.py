"""Measured latency as a table and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archscope.report.drawing import table
from archscope.report.numbers import count, percent
from archscope.report.table import Table


def latency_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per batch size, the conditions in the caption."""
    first = rows[0]
    cells = [_cells(row) for row in rows]
    # A column that says nothing in any row, or on the CPU what another says, is left out.
    shown = [name for name in cells[0] if any(row[name] for row in cells)]
    if first["device"] == "cpu" and "wall ms" in shown:
        shown.remove("wall ms")
    return table(
        f"{first['model']} on {first['device_title']}",
        shown,
        [[row[name] for name in shown] for row in cells],
        left=("remarks",),
        caption=_caption(rows),
    )


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    rate, step = row["achieved_gflops"], row["latency_ms_per_step"]
    interval = f"{_number(row['latency_ms_low'])}..{_number(row['latency_ms_high'])}"
    return {
        "batch": str(row["batch"]),
        "p50 ms": _number(row["latency_ms_p50"]),
        "95 % interval": interval if row["runs"] else "",
        "IQR": _number(row["latency_ms_iqr"], 2),
        "p95": _number(row["latency_ms_p95"]),
        "wall ms": _number(row["wall_ms_p50"]),
        "runs": str(row["runs"]),
        "per s": _number(row["throughput_per_s"]),
        "FLOP/s": "" if rate is None else count(round(1e9 * rate)),
        "% of peak": percent(row["compute_share"] or 0),
        "us/step": "" if step is None else f"{1e3 * step:.1f}",
        "remarks": _remarks(row),
    }


def layers_table(found: Mapping[str, Any]) -> Table:
    """Own times of all modules; with the gap they are the whole."""
    rows = [
        [
            row["path"],
            _number(row["own_ms"], 3),
            _number(row["total_ms"], 3),
            percent(row["share"]) if row["share"] > 0 else "",
            str(row["calls"]),
            count(round(1e9 * row["achieved_gflops"])) if row["flops"] else "",
        ]
        for row in found["layers"]
    ]
    sample = "x".join(map(str, found["input_shape"]))
    whole = _number(found["whole_ms"])
    return table(
        f"{found['model']} on {found['device_title']}",
        ["module", "own ms", "total ms", "%", "calls", "FLOP/s"],
        rows,
        footer=["whole", whole, whole, "100.0", "", ""],
        caption=[
            f"{found['dtype']}, inference; first input {sample}, random data. Own time is without "
            "the modules inside; own times and the gap (before and after the model) are the whole. "
            f"This is the median pass; clocking it changed it by {100 * found['slowdown']:+.1f} % "
            f"against {_number(found['undisturbed_ms'])} ms.",
            f"torch {found['torch']}, {found['threads']} CPU thread{'s' * (found['threads'] > 1)}.",
        ],
    )


def _remarks(row: Mapping[str, Any]) -> str:
    found = [row["status"]] if row["status"] != "ok" else []
    if row["runs"] and not row["steady"]:
        found.append("never steady")
    found += [row["disturbed"]] if row["disturbed"] else []
    return ", ".join(found)


def _caption(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    first = rows[0]
    switches = [
        name.replace("_", " ")
        for name in ("channels_last", "compile", "graph", "cold")
        if first[name]
    ]
    step = "forward" if first["mode"] == "inference" else "forward and backward, no optimizer"
    setting = ", ".join([first["dtype"], first["mode"], *switches, step])
    sample = "x".join(map(str, first["input_shape"]))
    times = (
        "On the CPU the device's time is the caller's"
        if first["device"] == "cpu"
        else "p50 to p95 by the device's events, wall time until the caller has the result"
    )
    return [
        f"{setting}; first input {sample}, random data. {times}. p50 is the median, with its "
        "95 % interval from order statistics.",
        f"torch {first['torch']}"
        + (f", CUDA {first['cuda']}, driver {first['driver_before']}" if first["cuda"] else "")
        + f", {first['threads']} CPU thread{'s' * (first['threads'] > 1)}.",
    ]


def _number(value: float | None, digits: int = 4) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:.0f}"
