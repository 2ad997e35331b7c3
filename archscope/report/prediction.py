"""Predicted latency as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archscope.report.drawing import table
from archscope.report.table import Table


def prediction_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per batch size; without predicted columns where nothing was predicted."""
    cells = [_cells(row) for row in rows]
    shown = [name for name in cells[0] if any(row[name] for row in cells)]
    first = rows[0]
    sample = "x".join(map(str, first["input_shape"]))
    remarks = dict.fromkeys(row["remark"] for row in rows)
    return table(
        f"{first['model']} on {first['device_title']}, predicted",
        shown,
        [[row[name] for name in shown] for row in cells],
        left=("basis",),
        caption=[
            f"{first['dtype']}, eager inference; first input {sample}. Nothing was run. Least: "
            "every operator at the device's ceilings, one after the other.",
            *(remark[:1].upper() + remark[1:] + "." for remark in remarks),
        ],
    )


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    known = row["latency_ms_p50"] is not None
    interval = f"{_number(row['latency_ms_low'])}..{_number(row['latency_ms_high'])}"
    return {
        "batch": str(row["batch"]),
        "least ms": _number(row["least_ms"]),
        "predicted ms": _number(row["latency_ms_p50"]),
        "90 % interval": interval if known else "",
        "per s": _number(row["throughput_per_s"]),
        "basis": row["basis"],
    }


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if value < 1e4 else f"{value:.0f}"
