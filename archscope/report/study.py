"""How far a study is, and what differs between two, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from archscope.report.drawing import table
from archscope.report.numbers import exact, memory, plural
from archscope.report.table import Table

_SHOWN = 30  # rows of failures and differences
_WIDEST = 40  # characters of a value


def status_tables(
    name: str,
    counts: Mapping[str, Mapping[str, int]],
    failures: Sequence[Mapping[str, Any]],
    taken: Mapping[str, Any],
    owner: str | None,
) -> list[Table]:
    """Cells by analysis and state, and the reasons of those that failed.

    Args:
        name: of the store.
        counts: analysis -> state -> cells.
        failures: ``reason``, ``cells`` and an ``example``, the most frequent first.
        taken: ``cpu_seconds``, ``peak_rss_bytes`` and when the last cell was ``finished``.
        owner: who works on it now.
    """
    states = ("done", "failed", "pending")
    rows = [[analysis, *(exact(found[s]) for s in states)] for analysis, found in counts.items()]
    totals = [exact(sum(found[state] for found in counts.values())) for state in states]
    caption = [f"Worked on by {owner}." if owner else "Nobody works on it now."]
    if taken["finished"]:
        most, last = taken["peak_rss_bytes"] or 0, taken["finished"][:19].replace("T", " ")
        caption.append(
            f"{taken['cpu_seconds']:,.1f} CPU seconds; at most {memory(most)} in one process; "
            f"last result {last} UTC."
        )
    tables = [table(name, ("analysis", *states), rows, footer=["total", *totals], caption=caption)]
    if failures:
        tables.append(_failures(failures))
    return tables


def _failures(failures: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [found["reason"], exact(found["cells"]), found["example"]] for found in failures[:_SHOWN]
    ]
    more = len(failures) - len(rows)
    return table(
        "Why cells failed",
        ("reason", "cells", "for example"),
        rows,
        left=("for example",),
        caption=[f"{plural(more, 'other reason')}; --format json has all."] if more > 0 else (),
    )


def difference_tables(names: tuple[str, str], rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The values in which two studies differ: ``rows`` as ``difference_rows`` makes them."""
    if not rows:
        return [table("No difference", names, [])]
    summary = Counter(row["column"] for row in rows)
    caption = [", ".join(f"{column} {exact(n)}" for column, n in summary.most_common()) + "."]
    if len(rows) > _SHOWN:
        caption.append(f"{exact(len(rows) - _SHOWN)} more; --format csv has all.")
    return [
        table(
            plural(len(rows), "difference"),
            ("network", "setting", "analysis", "column", *names),
            [
                [
                    row["model"],
                    row["setting"],
                    row["analysis"],
                    row["column"],
                    _value(row["before"]),
                    _value(row["after"]),
                ]
                for row in rows[:_SHOWN]
            ],
            left=("setting", "analysis", "column"),
            caption=caption,
        )
    ]


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return "x".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
