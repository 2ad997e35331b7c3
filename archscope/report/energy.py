"""Measured energy as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archscope.report.drawing import table
from archscope.report.table import Table

_COLUMNS = {
    "mJ/sample": "energy_mj",
    "least": "energy_mj_low",
    "most": "energy_mj_high",
    "net mJ": "net_energy_mj",
    "W": "power_w",
    "idle W": "idle_power_w",
}


def energy_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per batch size, what is to be said of it below, the conditions in the caption."""
    first = rows[0]
    windows = max(row["windows"] for row in rows)
    found = table(
        f"{first['model']} on {first['device_title']}",
        ["batch", *_COLUMNS, "runs"],
        [_cells(row) for row in rows],
        caption=[
            f"{first['dtype']}, {first['mode']}. Energy by {first['meter']}; median, least and "
            f"most of {windows} windows. Net is without idle power.",
            f"{first['date'][:10]}, torch {first['torch']}.",
        ],
    )
    lines = (
        replace(line, below=tuple(filter(None, [_remarks(row)])))
        for line, row in zip(found.rows, rows, strict=True)
    )
    return replace(found, rows=tuple(lines))


def _cells(row: Mapping[str, Any]) -> list[str]:
    numbers = ["" if row[key] is None else f"{row[key]:.4g}" for key in _COLUMNS.values()]
    return [str(row["batch"]), *numbers, str(row["runs"])]


def _remarks(row: Mapping[str, Any]) -> str:
    remarks = [row["status"]] if row["status"] != "ok" else []
    remarks += [f"disturbed: {row['disturbed']}"] if row["disturbed"] else []
    return ", ".join(remarks)
