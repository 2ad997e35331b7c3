"""What differs between two stores: cells of only one of them, and values that changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archscope.study.records import Setting
from archscope.study.store import Store

# Of a measurement, what was measured and not its conditions.
_MEASURED = {
    "latency": ("latency_ms_p50", "throughput_per_s"),
    "energy": ("energy_mj", "net_energy_mj", "power_w"),
}
_Row = sqlite3.Row


@dataclass(frozen=True)
class Difference:
    """One value in two stores; ``column`` is "state" where a cell itself differs."""

    setting: Setting
    analysis: str
    device: str
    column: str
    before: Any
    after: Any


def row_of(difference: Difference) -> dict[str, Any]:
    """The same with plain values, and the setting in words."""
    setting = difference.setting
    shape = setting.size or ";".join(setting.inputs) or None
    parts = [f"batch {setting.batch}", shape and f"size {shape}", setting.dtype, setting.mode]
    parts += [f"{name}={value}" for name, value in setting.options.items()]
    parts += [difference.device]
    return {
        "model": setting.reference,
        "setting": ", ".join(str(part) for part in parts if part),
        "analysis": difference.analysis,
        "column": difference.column,
        "before": difference.before,
        "after": difference.after,
    }


def differences(before: Store, after: Store) -> Iterator[Difference]:
    """Everything in which the current results of two stores differ, network by network.

    Times, machines and versions are not results. A cell that a store does not have is "absent".
    Two latencies differ where their 95 % intervals have nothing in common.
    """
    for left, right in _paired(before.sorted_cells(), after.sorted_cells()):
        row = left if left is not None else right
        assert row is not None
        setting = Setting.read(row["setting"])
        for column, old, new in _changes(left, right):
            yield Difference(setting, row["analysis"], row["device"], column, old, new)


def _paired(
    left: Iterator[_Row], right: Iterator[_Row]
) -> Iterator[tuple[_Row | None, _Row | None]]:
    """Rows of the same cell together: both come in the order of ``_place``."""
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if b is None or (a is not None and _place(a) < _place(b)):
            yield a, None
            a = next(left, None)
        elif a is None or _place(b) < _place(a):
            yield None, b
            b = next(right, None)
        else:
            yield a, b
            a, b = next(left, None), next(right, None)


def _place(row: _Row) -> tuple[str, str, str]:
    return row["setting"], row["analysis"], row["device"]


def _changes(left: _Row | None, right: _Row | None) -> Iterator[tuple[str, Any, Any]]:
    states = _state(left), _state(right)
    if states[0] != states[1]:
        yield "state", *states
    if left is None or right is None:
        return
    old, new = _values(left), _values(right)
    if left["analysis"] == "latency" and _agree(left, right):
        return
    for column in dict.fromkeys([*old, *new]):
        if old and new and old.get(column) != new.get(column):
            yield column, old.get(column), new.get(column)


def _agree(left: _Row, right: _Row) -> bool:
    """Whether two measurements may be of the same latency."""
    old, new = (json.loads(row["result"] or "{}") for row in (left, right))
    bounds = [found.get(f"latency_ms_{end}") for found in (old, new) for end in ("low", "high")]
    if None in bounds:
        return False
    return max(bounds[0], bounds[2]) <= min(bounds[1], bounds[3])


def _state(row: _Row | None) -> str:
    if row is None:
        return "absent"
    return f"failed: {row['reason']}" if row["state"] == "failed" else row["state"]


def _values(row: _Row) -> dict[str, Any]:
    values = json.loads(row["result"] or "{}")
    wanted = _MEASURED.get(row["analysis"])
    return values if wanted is None else {name: values.get(name) for name in wanted}
