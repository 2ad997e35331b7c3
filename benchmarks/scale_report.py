"""What `scale` writes of its rows: results/scale.md and scale.csv."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from archscope._version import __version__
from archscope.explorer.networks import MOST_ROWS
from archscope.report.numbers import memory
from archscope.study.keys import version
from benchmarks.results import cpu, markdown, show
from benchmarks.scale_store import LEFT, RECORDED

Row = dict[str, Any]
_STORE_TEXT = """\
A study is planned, interrupted with {left} cells missing, asked for its status, and resumed, all
through the driver and the store; results are those of real networks, and only the networks' runs
are left out. **zoo** has all of torchvision and timm at more and more batch sizes, **hub** a
network of its own with a configuration file of its own for every three cells. `resume` is the time
from the driver's start until a worker would get its first task; `nothing to do` and `status` are
whole commands. The driver's memory is that before the first cell and the most after it, and its
peak, planning included."""
_EXPORT_TEXT = """\
A row of an export is three cells. Exporting and exploring are whole commands; opening is pandas'
`read_csv` and `read_parquet` alone. The explorer refuses more than {most:,} rows: a condition or
names choose among them. The results of {recorded} networks are repeated, so that parquet packs them
better than it would others."""
_WORKERS_TEXT = """\
{models} networks of timm drawn by chance, three cells each, at as many batch sizes as there are
workers, so that each worker has as much to do as one alone. The rate is that from the first tenth
of the cells to the last; the command is all of it, the start of the processes included. Efficiency
is rate(n) / (n · rate(1)). **alone** is the machine itself: n processes that share nothing, with no
driver and no store; **driver** is a study of a network of one small layer. Memory of a worker is
the most that one of them held, and their mean with shared pages divided."""


def write(rows: Sequence[Row], place: Path) -> None:
    """Print the tables of all parts that there are, and write them to ``place``.md and .csv."""
    parts = []
    for title, text, table, chosen in _sections(rows):
        show(title, table)
        parts += [f"## {title}\n", f"{text}\n", f"{_taken(chosen)}\n", markdown(table)]
    place.with_suffix(".md").write_text("\n".join([_head(), *parts]), encoding="utf-8")
    flat = [{key: _flat(value) for key, value in row.items()} for row in rows]
    pd.DataFrame(flat).to_csv(place.with_suffix(".csv"), index=False)


def _head() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "ray"))
    return (
        "# How far a study goes\n\n"
        "Each cell is one analysis of one network at one setting. What is measured is told in "
        "`../scale.py`; the rows are in `scale.csv`. What it means for a study of a million "
        f"networks: `docs/scale.md`.\n\n{cpu()}; Python {platform.python_version()}; archscope "
        f"{__version__}, {packages}; SQLite {sqlite3.sqlite_version}.\n"
    )


def _flat(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _taken(rows: Sequence[Row]) -> str:
    """When, on how many cores, and beside what."""
    days = sorted({row["date"] for row in rows})
    cores = sorted({row["cores"] for row in rows})
    loads = [row["load"] for row in rows]
    return (
        f"{', '.join(days)}; {', '.join(map(str, cores))} cores; load average after each "
        f"measurement {min(loads):.1f} to {max(loads):.1f}."
    )


def _sections(rows: Sequence[Row]) -> Iterable[tuple[str, str, pd.DataFrame, list[Row]]]:
    of = {part: [row for row in rows if row["part"] == part] for part in PARTS}
    if of["store"]:
        text = _STORE_TEXT.format(left=LEFT)
        yield "The store by its size", text, _table(of["store"], _STORE, _by_case), of["store"]
    if of["export"]:
        exported = _EXPORT_TEXT.format(most=MOST_ROWS, recorded=RECORDED)
        yield "Exports by their size", exported, _table(of["export"], _EXPORT), of["export"]
    for part, title in (("workers", "Cells per second by workers"), ("ray", "The same on Ray")):
        if of[part]:
            text = _WORKERS_TEXT.format(models=of[part][0]["models"])
            yield title, text, rates(of[part]), of[part]


PARTS = ("store", "export", "workers", "ray")


def _by_case(row: Row) -> str:
    return f"{row['case']} {row['cells']:,}"


def _table(
    rows: Sequence[Row],
    columns: dict[str, Callable[[Row], str]],
    name: Callable[[Row], str] = lambda row: f"{row['rows']:,}",
) -> pd.DataFrame:
    ordered = sorted(rows, key=lambda row: (row["case"] != "zoo", row["size"]))
    found = {name(row): {title: cell(row) for title, cell in columns.items()} for row in ordered}
    label = "cells" if "cells" in rows[0] else "rows"
    return pd.DataFrame(found).T.rename_axis(label)


def _seconds(name: str) -> Callable[[Row], str]:
    return lambda row: f"{row[name]:.2f}" if row[name] < 10 else f"{row[name]:.0f}"


def _if_explored(cell: Callable[[Row], str]) -> Callable[[Row], str]:
    return lambda row: cell(row) if "explore_s" in row else "refused"


def _both(name: str) -> Callable[[Row], str]:
    wall, used = _seconds(f"{name}_s"), _seconds(f"{name}_cpu_s")
    return lambda row: f"{wall(row)} ({used(row)})"


_STORE: dict[str, Callable[[Row], str]] = {
    "planning, s (CPU)": _both("plan"),
    "writing, s (CPU)": _both("write"),
    "written per CPU s": lambda row: f"{row['written'] / row['write_cpu_s']:,.0f}",
    "resume, s (CPU)": _both("resume"),
    "nothing to do, s": _seconds("resume_nothing_s"),
    "status, s": _seconds("status_s"),
    "store": lambda row: memory(row["store_bytes"]),
    "bytes per cell": lambda row: f"{row['store_bytes'] / row['cells']:,.0f}",
    "driver, first to last cell": lambda row: (
        f"{memory(row['driver_bytes'][0])} to {memory(max(row['driver_bytes']))}"
    ),
    "driver's peak": lambda row: memory(row["driver_peak_bytes"]),
}
_EXPORT: dict[str, Callable[[Row], str]] = {
    "export .csv, s": _seconds("export_csv_s"),
    "export .parquet, s": _seconds("export_parquet_s"),
    "open .csv, s": _seconds("open_csv_s"),
    "open .parquet, s": _seconds("open_parquet_s"),
    ".csv": lambda row: memory(row["csv_bytes"]),
    ".parquet": lambda row: memory(row["parquet_bytes"]),
    "peak of export": lambda row: memory(row["export_csv_peak_bytes"]),
    "explore, s": _if_explored(_seconds("explore_s")),
    "explorer's page": _if_explored(lambda row: memory(row["html_bytes"])),
    "peak of explore": _if_explored(lambda row: memory(row["explore_peak_bytes"])),
}


# -- rates -----------------------------------------------------------------------------------------


def rates(rows: Sequence[Row]) -> pd.DataFrame:
    """A row for each number of workers of each engine: means over the rounds."""
    found = {}
    for case in dict.fromkeys(row["case"] for row in rows):
        alone = [row["rate_per_s"] for row in rows if (row["case"], row["size"]) == (case, 1)]
        of_one = _mean(alone) if alone and "driver" not in case else None
        for size in sorted({row["size"] for row in rows if row["case"] == case}):
            chosen = [row for row in rows if (row["case"], row["size"]) == (case, size)]
            found[f"{case} {size}"] = _rate(chosen, size, of_one)
    return pd.DataFrame(found).T.rename_axis("workers")


def _rate(rows: Sequence[Row], size: int, of_one: float | None) -> dict[str, str]:
    rate = [row["rate_per_s"] for row in rows]
    cells = {
        "cells": f"{rows[0]['cells']:,}",
        "failed": str(sum(row["failed"] for row in rows)),
        "cells per s": " and ".join(f"{one:.1f}" for one in rate),
        "efficiency": f"{_mean(rate) / (size * of_one):.2f}" if of_one else "",
    }
    if "wall_s" not in rows[0]:
        return cells | dict.fromkeys(_OF_STUDIES, "")
    used = [row["driver_cpu_ms_per_cell"] for row in rows]
    memories = [held for row in rows for held in row["driver_bytes"]]
    largest = max(held for row in rows for held in row["worker_bytes"])
    shared = _mean([held for row in rows for held in row["worker_pss_bytes"]])
    values = (
        f"{_mean([row['wall_s'] for row in rows]):.0f}",
        f"{_mean(used):.2f}",
        f"{memory(min(memories))} to {memory(max(memories))}",
        memory(largest),
        memory(round(shared)),
    )
    return cells | dict(zip(_OF_STUDIES, values, strict=True))


_OF_STUDIES = (
    "command, s",
    "driver's CPU ms per cell",
    "driver's memory",
    "largest worker",
    "mean worker, shared divided",
)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
