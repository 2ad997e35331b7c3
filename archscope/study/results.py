"""The results of a study as the frame of a comparison: a row per network, setting and device."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import ArchscopeError, InvalidInput
from archscope.report.files import write_whole
from archscope.study.records import Setting
from archscope.study.store import Store

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 5000  # rows in memory at a time
_MEASURED = {
    "latency": (
        *("latency_ms_p50", "latency_ms_low", "latency_ms_high", "wall_ms_p50"),
        *("throughput_per_s", "device_title", "threads", "disturbed"),
    ),
    "energy": ("energy_mj", "net_energy_mj", "power_w", "device_title", "disturbed"),
}
# What a setting adds to the columns of a comparison.
SETTING = ("size", "mode", "options")


def frame(path: str | Path) -> pd.DataFrame:
    """The results of a study.

    Args:
        path: the store.

    Returns:
        A row per network, setting and device, with the columns of ``archscope.compare``, and with
        ``size``, ``mode`` and ``options``. ``status`` is "ok", or the reasons why figures are
        missing. Accuracies stand beside networks at their own input only.

    Raises:
        InvalidInput: there is no such study.
    """
    from archscope.comparison.columns import comparison_frame

    with Store(path) as store:
        known: dict[str, dict[str, Any]] = {}
        rows = [row for chunk in _completed(store, known) for row in chunk]
        fronts = _fronts([rows])
    return comparison_frame(_marked(rows, fronts))


def export(store: str | Path, path: str | Path) -> int:
    """Write the same to a file, a few thousand rows at a time.

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
    known: dict[str, dict[str, Any]] = {}
    written = 0
    with Store(store) as opened:
        fronts = _fronts(_completed(opened, known))

        def fill(place: Path) -> None:
            nonlocal written
            written = write(place, (_marked(rows, fronts) for rows in _completed(opened, known)))

        write_whole(path, fill)
    return written


# -- rows ------------------------------------------------------------------------------------------


def rows(store: Store) -> Iterator[dict[str, Any]]:
    """The rows as dictionaries, in the order of the grid, without what other rows decide."""
    for _, cells in groupby(store.cells(), key=lambda cell: cell["setting_id"]):
        yield from _rows_of(list(cells))


def _rows_of(cells: list[sqlite3.Row]) -> Iterator[dict[str, Any]]:
    """One row, or one for each device that was measured on."""
    setting = Setting.read(cells[0]["setting"])
    derived = [cell for cell in cells if not cell["device"]]
    devices = dict.fromkeys(cell["device"] for cell in cells if cell["device"])
    for device in devices or [None]:
        measured = [cell for cell in cells if device and cell["device"] == device]
        yield _row(setting, [*derived, *measured], device)


def _row(setting: Setting, cells: list[sqlite3.Row], device: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": setting.reference,
        "batch": setting.batch,
        "size": setting.size,
        "mode": setting.mode,
        "options": setting.text_of_options if setting.options else None,
        "device": device,
    }
    for cell in cells:
        values = json.loads(cell["result"] or "{}")
        wanted = _MEASURED.get(cell["analysis"])
        row |= values if wanted is None else {name: values.get(name) for name in wanted}
    if "input_shape" in row:
        row["input_shape"] = tuple(row["input_shape"])
    return row | _said(cells)


def _said(cells: list[sqlite3.Row]) -> dict[str, str | None]:
    """As in a comparison: a row with some figures is ok, and remarks say why it lacks others."""
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        if cell["state"] != "done":
            reason = cell["reason"] if cell["state"] == "failed" else "not done yet"
            reasons.setdefault(reason, []).append(cell["analysis"])
    missing = "; ".join(f"no {', '.join(names)}: {reason}" for reason, names in reasons.items())
    if sum(map(len, reasons.values())) < len(cells):
        return {"status": "ok", "remarks": missing or None}
    return {"status": next(iter(reasons)) if len(reasons) == 1 else missing, "remarks": None}


def _completed(store: Store, known: dict[str, dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows in chunks, with accuracies, which are looked up once for each network."""
    everything = rows(store)
    while chunk := list(islice(everything, _CHUNK)):
        _look_up({row["model"] for row in chunk if row.get("own_input")} - known.keys(), known)
        for row in chunk:
            found = known[row["model"]] if row.pop("own_input", False) else {}
            row |= {name: found.get(name) for name in _ACCURACY}
            if row.get("params") and row["top1"] is not None:
                row["top1_per_mparams"] = row["top1"] / (row["params"] / 1e6)
        yield chunk


_ACCURACY = ("top1", "top5", "protocol", "accuracy_source")


def _look_up(models: set[str], known: dict[str, dict[str, Any]]) -> None:
    import pandas as pd

    from archscope.accuracy import with_accuracy

    if models:
        found = with_accuracy(pd.DataFrame({"model": sorted(models)}))
        for row in found.to_dict("records"):
            known[row["model"]] = {
                name: None if pd.isna(row[name]) else row[name] for name in _ACCURACY
            }


# -- the front -------------------------------------------------------------------------------------

_Point = tuple[int, float]


def _group(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Rows that a front compares: of one protocol, and run alike."""
    return tuple(row.get(name) for name in ("protocol", "batch", "dtype", "mode", "device"))


def _fronts(chunks: Iterable[list[dict[str, Any]]]) -> dict[tuple[Any, ...], set[_Point]]:
    """The Pareto front of most accuracy for least MACs, of each group."""
    import pandas as pd

    from archscope.comparison.pareto import pareto

    fronts: dict[tuple[Any, ...], set[_Point]] = {}
    for chunk in chunks:
        points: dict[tuple[Any, ...], set[_Point]] = {}
        for row in chunk:
            if row.get("macs") is not None and row["top1"] is not None:
                points.setdefault(_group(row), set()).add((row["macs"], row["top1"]))
        for group, found in points.items():
            table = pd.DataFrame(sorted(found | fronts.get(group, set())), columns=["macs", "top1"])
            on_it = table[pareto(table)]
            fronts[group] = set(zip(on_it["macs"], on_it["top1"], strict=True))
    return fronts


def _marked(
    chunk: list[dict[str, Any]], fronts: Mapping[tuple[Any, ...], set[_Point]]
) -> list[dict[str, Any]]:
    for row in chunk:
        row["pareto"] = (row.get("macs"), row["top1"]) in fronts.get(_group(row), ())
    return chunk


# -- files -----------------------------------------------------------------------------------------


def _columns() -> dict[str, str]:
    from archscope.comparison.columns import COLUMNS

    numbers = ("latency_ms_low", "latency_ms_high", "wall_ms_p50", "net_energy_mj")
    return {
        **COLUMNS,
        **{"size": "whole", "mode": "text", "options": "text", "device_title": "text"},
        **{"threads": "whole", "disturbed": "text"},
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
