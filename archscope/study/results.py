"""The results of a study as the frame of a comparison: a row per network, setting and device."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.arguments import checked, file, text, texts
from archscope.errors import UnknownName
from archscope.study.records import Setting
from archscope.study.store import Store
from archscope.study.tables import is_table, read_rows

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 5000  # rows in memory at a time
# What of a measurement is a column, beside what it says of its network.
_NETWORK = ("family", "source", "year", "own_input", "input_shape")
_CONDITIONS = ("device_title", "threads", "disturbed", "torch", "date")
_MEASURED = {
    "latency": (
        *("latency_ms_p50", "latency_ms_low", "latency_ms_high", "wall_ms_p50"),
        *("throughput_per_s", *_CONDITIONS, *_NETWORK),
    ),
    "energy": (
        *("energy_mj", "net_energy_mj", "power_w", "idle_power_w", *_CONDITIONS, *_NETWORK),
    ),
}
_WHOLE = ("size", "threads", "backward_macs", "backward_flops")  # beside those of a comparison
# A front of accuracy against MACs is drawn among rows of one protocol that ran alike.
ALIKE = ("protocol", "batch", "dtype", "mode", "device")


@checked(path=file, models=texts, accuracy=file, protocol=text)
def frame(
    path: str | Path,
    models: Sequence[str] = (),
    *,
    accuracy: str | Path | None = None,
    protocol: str = "single-crop",
) -> pd.DataFrame:
    """The results of a study.

    Args:
        path: the store; or a table that was exported from one, or that ``archscope compare`` wrote
            (.csv, .csv.gz, .parquet).
        models: references, or patterns of them, of the rows to take; all by default.
        accuracy: a table of accuracies in place of the published ones, and
        protocol: which to prefer, see ``archscope.accuracy.with_accuracy``. A table of results has
            accuracies of its own, and keeps those where no other table is given.

    Returns:
        A row per network, setting and device, with the columns of ``archscope.compare``, and with
        ``size``, ``mode`` and ``options``. ``status`` is "ok", or the reasons why all figures are
        missing; ``remarks`` say why some are. Published accuracies stand beside networks at their
        own input only. ``attrs`` are those of ``archscope.compare``.

    Raises:
        InvalidInput: there is no such study, or the table cannot be read.
        UnknownName: nothing in it has that name.
    """
    from archscope.comparison.columns import comparison_frame

    find = Accuracies(accuracy, protocol)
    if is_table(path):
        everything = _exported(path, find)
    else:
        with Store(path) as store:
            everything = [row for chunk in completed(store, find) for row in chunk]
    found = _matching(everything, models, path)
    table = comparison_frame(marked(found, fronts_of([found])))
    for name in _WHOLE:
        if name in table:
            table[name] = table[name].astype("Int64")
    failed = {row["model"]: row["status"] for row in found if row["status"] != "ok"}
    table.attrs |= {"protocol": protocol, "relative_to": None, "notes": (), "failed": failed}
    table.attrs["alike"] = [name for name in ALIKE if name in table]
    return table


def _exported(path: str | Path, find: Accuracies) -> list[dict[str, Any]]:
    """The rows of a table, with accuracies of the file that was given, if one was."""
    absent: dict[str, Any] = {"top1": None, "protocol": None}
    found = [absent | row for row in read_rows(path)]
    if find.file is not None:
        find.look_up(row["model"] for row in found)
        for row in found:
            row |= find.of(row["model"], own_input=True)
    return [row | _density(row) for row in found]


def _density(row: Mapping[str, Any]) -> dict[str, float]:
    if not row.get("params") or row["top1"] is None:
        return {}
    return {"top1_per_mparams": row["top1"] / (row["params"] / 1e6)}


def _matching(
    rows: list[dict[str, Any]], models: Sequence[str], path: str | Path
) -> list[dict[str, Any]]:
    known = list(dict.fromkeys(row["model"] for row in rows))
    for model in models:
        if not any(fnmatchcase(name, model) for name in known):
            raise UnknownName(
                f"network in {path}", model, known, see=f"archscope study status {path}"
            )
    return [
        row
        for row in rows
        if not models or any(fnmatchcase(row["model"], model) for model in models)
    ]


# -- rows ------------------------------------------------------------------------------------------


def rows(store: Store) -> Iterator[dict[str, Any]]:
    """The rows as dictionaries, in the order of the grid, without what other rows decide."""
    depths = {
        Setting.read(cell["setting"]).text_of_input: cell for cell in store.cells("effective_depth")
    }
    for _, group in groupby(store.cells(), key=lambda cell: cell["setting_id"]):
        cells = list(group)
        setting = Setting.read(cells[0]["setting"])
        depth = depths.get(setting.text_of_input)
        has_own = any(cell["analysis"] == "effective_depth" for cell in cells)
        if depth is not None and not has_own and setting.mode == "inference":
            cells.append(depth)
        yield from _rows_of(setting, cells)


def _rows_of(setting: Setting, cells: list[sqlite3.Row]) -> Iterator[dict[str, Any]]:
    """One row, or one for each device that was measured on."""
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
        wanted = _MEASURED.get(cell["analysis"], values)
        if cell["setting"] != setting.text:  # an effective depth, at the batch of another row
            wanted = [name for name in wanted if name not in ("batch", "input_shape")]
        row |= {name: values[name] for name in wanted if name in values}
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


def completed(store: Store, find: Accuracies) -> Iterator[list[dict[str, Any]]]:
    """The rows in chunks, with accuracies."""
    everything = rows(store)
    while chunk := list(islice(everything, _CHUNK)):
        find.look_up(row["model"] for row in chunk)
        for row in chunk:
            row |= find.of(row["model"], own_input=row.pop("own_input", False))
            row |= _density(row)
        yield chunk


_ACCURACY = ("top1", "top5", "protocol", "accuracy_source")


class Accuracies:
    """Accuracies, looked up once for each network."""

    def __init__(self, file: str | Path | None = None, protocol: str = "single-crop"):
        """The published ones, or those of a person's file."""
        self.file, self.protocol = file, protocol
        self.known: dict[str, dict[str, Any]] = {}

    def look_up(self, models: Iterable[str]) -> None:
        import pandas as pd

        from archscope.accuracy import with_accuracy
        from archscope.comparison.columns import records

        missing = sorted(set(models) - self.known.keys())
        table = pd.DataFrame({"model": missing}, dtype=object)
        found = with_accuracy(table, self.file, protocol=self.protocol)
        for row in records(found):
            self.known[row["model"]] = {name: row[name] for name in _ACCURACY}

    def of(self, model: str, *, own_input: bool) -> dict[str, Any]:
        """Published figures are for a network as it was published."""
        published = self.file is None
        return self.known[model] if own_input or not published else dict.fromkeys(_ACCURACY)


# -- the front -------------------------------------------------------------------------------------

_Point = tuple[int, float]


def _group(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Rows that a front compares: of one protocol, and run alike."""
    return tuple(row.get(name) for name in ALIKE)


def fronts_of(chunks: Iterable[list[dict[str, Any]]]) -> dict[tuple[Any, ...], set[_Point]]:
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


def marked(
    chunk: list[dict[str, Any]], fronts: Mapping[tuple[Any, ...], set[_Point]]
) -> list[dict[str, Any]]:
    for row in chunk:
        row["pareto"] = (row.get("macs"), row["top1"]) in fronts.get(_group(row), ())
    return chunk
