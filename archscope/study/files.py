"""The results of a study as a file, a few thousand rows at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from archscope.arguments import checked, file
from archscope.errors import ArchscopeError, InvalidInput
from archscope.report.files import write_whole
from archscope.study.results import Accuracies, completed, fronts_of, marked
from archscope.study.store import Store


@checked(store=file, path=file)
def export(store: str | Path, path: str | Path) -> int:
    """Write what ``frame`` returns to a file, without having all of it in memory.

    Args:
        store: of the study.
        path: ends in .csv or .parquet. Shapes are "1x3x224x224" there, and in .parquet ``paths``,
            which may be larger than any machine integer, is text.

    Returns:
        How many rows.

    Raises:
        ArchscopeError: another ending, a file that cannot be written, or no pyarrow.
    """
    path = Path(path)
    writers: dict[str, Callable[[Path, Iterable[list[dict[str, Any]]]], int]] = {
        ".csv": _write_csv,
        ".parquet": _write_parquet,
    }
    write = writers.get(path.suffix.lower())
    if write is None:
        raise InvalidInput(f"a study is exported to .csv or .parquet, not to '{path}'")
    find = Accuracies()
    written = 0
    with Store(store) as opened, opened.snapshot():
        fronts = fronts_of(completed(opened, find))

        def fill(place: Path) -> None:
            nonlocal written
            written = write(place, (marked(rows, fronts) for rows in completed(opened, find)))

        write_whole(path, fill)
    return written


def _columns() -> dict[str, str]:
    from archscope.comparison.columns import COLUMNS

    numbers = ("latency_ms_low", "latency_ms_high", "wall_ms_p50", "net_energy_mj", "idle_power_w")
    return {
        **COLUMNS,
        **{"size": "whole", "mode": "text", "options": "text", "device_title": "text"},
        **{"threads": "whole", "disturbed": "text", "torch": "text", "date": "text"},
        **dict.fromkeys(numbers, "number"),
        **dict.fromkeys(("backward_macs", "backward_flops"), "whole"),
    }


def _write_csv(place: Path, chunks: Iterable[list[dict[str, Any]]]) -> int:
    names, count = list(_columns()), 0
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for chunk in chunks:
            writer.writerows([_field(row.get(name)) for name in names] for row in chunk)
            count += len(chunk)
    return count


def _field(value: Any) -> Any:
    return "x".join(map(str, value)) if isinstance(value, tuple) else value


def _write_parquet(place: Path, chunks: Iterable[list[dict[str, Any]]]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ArchscopeError("a .parquet file needs pyarrow: pip install pyarrow") from None
    types = {"whole": pa.int64(), "number": pa.float64(), "flag": pa.bool_()}
    kinds = _columns()
    schema = pa.schema([(name, types.get(kind, pa.string())) for name, kind in kinds.items()])

    def column(chunk: list[dict[str, Any]], name: str) -> list[Any]:
        values = [_field(row.get(name)) for row in chunk]
        if kinds[name] in types:
            return values
        return [None if value is None else str(value) for value in values]

    count = 0
    with pq.ParquetWriter(place, schema) as writer:
        for chunk in chunks:
            writer.write_table(pa.table({n: column(chunk, n) for n in kinds}, schema=schema))
            count += len(chunk)
    return count
