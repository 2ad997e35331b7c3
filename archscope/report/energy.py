"""Measured energy as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """A row per batch size, the conditions in the caption."""
    first = rows[0]
    windows = max(row["windows"] for row in rows)
    return table(
        f"{first['model']} on {first['device_title']}",
        ["batch", *_COLUMNS, "runs", "remarks"],
        [_cells(row) for row in rows],
        left=("remarks",),
        caption=[
            f"{first['dtype']}, {first['mode']}. Energy by {first['meter']}; median, least and "
            f"most of {windows} windows. Net is without idle power.",
            f"{first['date'][:10]}, torch {first['torch']}.",
        ],
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    remarks = [row["status"]] if row["status"] != "ok" else []
    remarks += [f"disturbed: {row['disturbed']}"] if row["disturbed"] else []
    numbers = ["" if row[key] is None else f"{row[key]:.4g}" for key in _COLUMNS.values()]
    return [str(row["batch"]), *numbers, str(row["runs"]), ", ".join(remarks)]
