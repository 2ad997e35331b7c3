"""The columns of a comparison, in their order, and what kind of value each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# "whole" numbers are exact; "exact" ones may be larger than any machine integer.
COLUMNS = {
    "model": "text",
    "family": "text",
    "source": "text",
    "year": "whole",
    "batch": "whole",
    "input_shape": "shape",
    "dtype": "text",
    "params": "whole",
    "trainable_params": "whole",
    "macs": "whole",
    "flops": "whole",
    "activations": "whole",
    "weight_bytes": "whole",
    "peak_bytes": "whole",
    "training_peak_bytes": "whole",
    "depth": "whole",
    "shortest_path": "whole",
    "paths": "exact",
    "mean_path": "number",
    "effective_depth": "number",
    "coverage": "number",
    "top1": "number",
    "top5": "number",
    "protocol": "text",
    "accuracy_source": "text",
    "top1_per_mparams": "number",
    "device": "text",
    "latency_ms_p50": "number",
    "throughput_per_s": "number",
    "energy_mj": "number",
    "power_w": "number",
    "pareto": "flag",
    "status": "text",
    "remarks": "text",
}


def comparison_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a DataFrame with every column; what a row lacks is missing.

    Args:
        rows: dictionaries of some of ``COLUMNS``, and of others that stay as they are.
    """
    import pandas as pd

    names = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
    return pd.DataFrame(
        {name: _column(name, [row.get(name) for row in rows]) for name in names},
        index=range(len(rows)),
    )


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with each of ``COLUMNS`` that it has in its own type."""
    rows = records(frame)
    return frame.assign(
        **{
            name: _column(name, [row[name] for row in rows]).set_axis(frame.index)
            for name in frame.columns
            if name in COLUMNS
        }
    )


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dictionaries of plain values; None for what is missing."""
    columns = {str(name): _values(frame[name]) for name in frame.columns}
    return [{name: values[i] for name, values in columns.items()} for i in range(len(frame))]


def _values(column: pd.Series) -> list[Any]:
    pairs = zip(column, column.isna(), strict=True)
    return [None if missing else _plain(value) for value, missing in pairs]


def _plain(value: Any) -> Any:
    """Python's own number for one of numpy's."""
    return value.item() if hasattr(value, "item") else value


def _column(name: str, values: list[Any]) -> pd.Series:
    import pandas as pd

    match COLUMNS.get(name):
        case "whole":
            return pd.Series(values, dtype=_whole(name, values))
        case "number":
            return pd.Series(values, dtype="float64")
        case "flag":
            return pd.Series([bool(value) for value in values], dtype=bool)
        case None:
            return pd.Series(values)
    return pd.Series(values, dtype=object)


def _whole(name: str, values: Sequence[int | None]) -> str:
    """Years are often missing; other whole numbers only where a network failed."""
    known = [value for value in values if value is not None]
    if any(abs(value) >= 2**63 for value in known):
        return "object"
    return "int64" if len(known) == len(values) and name != "year" else "Int64"
