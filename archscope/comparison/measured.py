"""Measured latency and energy beside what was derived, joined from the files of measurements."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.comparison.columns import records
from archscope.comparison.expressions import parse
from archscope.errors import InvalidInput, unreadable
from archscope.trace.execution import DTYPES

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

_GROUPS = (("latency_ms_p50", "throughput_per_s"), ("energy_mj", "power_w"))
MEASURED = tuple(name for group in _GROUPS for name in group)
_SETTINGS = ("device", "dtype", "form", "channels_last", "compile", "graph", "cold", "threads")


def measurements(files: Iterable[str | Path], *, condition: str | None = None) -> list[Row]:
    """The measurements in some files.

    Args:
        files: what ``archscope latency`` and ``energy`` wrote as .csv or .json, the .json of a
            device under ``reports/data``, or other tables with the columns ``model``, ``batch`` and
            some of ``MEASURED``.
        condition: which rows to use, "device == 'cuda:0'"; see ``where``.

    Raises:
        InvalidInput: a file that cannot be read or has not those columns.
        UnknownName: the condition has a column that a file does not have.
    """
    return [row for file in files for row in _chosen(read_measurements(file), condition)]


def with_measurements(frame: pd.DataFrame, rows: Iterable[Row]) -> pd.DataFrame:
    """A comparison with what was measured of its networks.

    A measurement belongs to a network if model and batch are the same and, where it has them,
    input shape, dtype and FLOPs, which options such as ``num_classes`` change; training is left
    aside.

    Args:
        frame: a comparison.
        rows: from ``measurements``.

    Returns:
        The frame with ``device``, ``latency_ms_p50``, ``throughput_per_s``, ``energy_mj``,
        ``power_w``, and ``disturbed``: what made a measurement worse than the device can do.

    Raises:
        InvalidInput: several measurements of one network, which differ in what the message says.
    """
    by_model: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        by_model.setdefault((str(row["model"]), int(row["batch"])), []).append(row)
    found = [
        _of_network(network, by_model.get((network["model"], network["batch"]), ()))
        for network in records(frame)
    ]
    names = ("device", *MEASURED, "disturbed")
    return frame.assign(**{name: [values.get(name) for values in found] for name in names})


def read_measurements(file: str | Path) -> list[Row]:
    """The rows of a file of measurements; numbers are numbers, what is empty is None.

    Raises:
        InvalidInput: it cannot be read, or has no measurements.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _of_json(text) if path.suffix.lower() == ".json" else list(_of_csv(text))
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable(path, error) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f"{path} holds no list of measurements")
    for row in rows:
        _check(row, path)
    return rows


def _of_json(text: str) -> Any:
    """A list of rows; or of a whole device, rows of all kinds under shared conditions."""
    content = json.loads(text)
    if not isinstance(content, dict) or not {"conditions", "rows"} <= set(content):
        return content
    about = content["conditions"]
    shared = {name: about.get(name) for name in ("device", "date", "dtype", "threads", "torch")}
    shared["device_title"] = about.get("title")
    of_networks = [row for row in content["rows"] if any(name in row for name in MEASURED)]
    return [{**shared, **row} for row in of_networks]


def _of_csv(text: str) -> Iterable[dict[str, Any]]:
    for row in csv.DictReader(text.splitlines()):
        yield {name: _read(name, value) for name, value in row.items() if name}


def _read(name: str, text: str | None) -> Any:
    if not text:
        return None
    if text in ("True", "False"):
        return text == "True"
    try:
        return text if name in ("model", "device") else float(text)
    except ValueError:
        return text


def _check(row: Row, path: Path) -> None:
    for name in ("model", "batch"):
        if row.get(name) is None:
            raise InvalidInput(f"{path} has a row without '{name}'; measurements need one")
    if not any(name in row for name in MEASURED):
        raise InvalidInput(f"{path} measures none of {', '.join(MEASURED)}")
    for name in ("batch", *MEASURED):
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise InvalidInput(f"{path}: the {name} of {row['model']} is '{value}', no number")


def _chosen(rows: Sequence[Row], condition: str | None) -> Sequence[Row]:
    if condition is None:
        return rows
    columns = dict.fromkeys(name for row in rows for name in row)
    holds = parse(condition, columns)
    return [row for row in rows if holds({name: row.get(name) for name in columns})]


def _of_network(network: Row, rows: Iterable[Row]) -> dict[str, Any]:
    """The measurements of one network, latency and energy perhaps from different rows."""
    fitting = [row for row in rows if _fits(row, network)]
    found: dict[str, Any] = {}
    used = []
    for group in _GROUPS:
        known = [row for row in fitting if any(row.get(name) is not None for name in group)]
        if len(known) > 1:
            raise InvalidInput(_ambiguous(network, known))
        for row in known:
            found |= {name: row.get(name) for name in group}
            used.append(row)
    devices = dict.fromkeys(str(row.get("device_title") or row.get("device")) for row in used)
    if len(devices) > 1:
        raise InvalidInput(_ambiguous(network, used))
    disturbed = dict.fromkeys(text for row in used for text in _disturbances(row))
    return found | {"device": next(iter(devices), None), "disturbed": ", ".join(disturbed) or None}


def _fits(row: Row, network: Row) -> bool:
    if row.get("mode") not in (None, "inference"):
        return False
    shape, dtype = row.get("input_shape"), row.get("dtype")
    if shape and _sizes(shape) != tuple(network["input_shape"]):
        return False
    if None not in (row.get("flops"), network["flops"]) and row["flops"] != network["flops"]:
        return False
    stored = "fp32" if dtype == "tf32" else dtype  # TF32 multiplies what is stored in 32 bits
    return stored is None or DTYPES.get(str(stored)) == network["dtype"]


def _sizes(shape: Any) -> tuple[int, ...]:
    """Of 1x3x224x224, or of a list."""
    try:
        return tuple(int(size) for size in (shape.split("x") if isinstance(shape, str) else shape))
    except (TypeError, ValueError):
        raise InvalidInput(f"a measurement's input shape is '{shape}', not 1x3x224x224") from None


def _disturbances(row: Row) -> list[str]:
    found = [row["status"]] if row.get("status") not in (None, "ok") else []
    found += ["never steady"] if row.get("steady") is False else []
    return found + ([str(row["disturbed"])] if row.get("disturbed") else [])


def _ambiguous(network: Row, rows: Sequence[Row]) -> str:
    differing = [
        f"{name} ({', '.join(values)})"
        for name in _SETTINGS
        if len(values := dict.fromkeys(str(row.get(name)) for row in rows)) > 1
    ]
    what = f"which differ in {', '.join(differing)}" if differing else "with the same settings"
    return (
        f"there are {len(rows)} measurements of {network['model']} at batch {network['batch']}, "
        f"{what}; choose with --measured-where \"device == '{rows[0].get('device')}'\""
    )
