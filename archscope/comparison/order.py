"""Order and scale of a comparison: sorted by columns, and in multiples of one of its networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archscope.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    import pandas as pd

# What a network costs, and what is therefore worth dividing by another's.
RELATIVE = (
    "params",
    "macs",
    "flops",
    "activations",
    "weight_bytes",
    "peak_bytes",
    "training_peak_bytes",
    "depth",
    "effective_depth",
    "top1_per_mparams",
    "latency_ms_p50",
    "throughput_per_s",
    "energy_mj",
)
SUFFIX = "_relative"


def relative_to(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """The frame with every cost also in multiples of one network's.

    Args:
        frame: a comparison.
        model: one of its networks.

    Returns:
        The frame with columns such as ``params_relative``: 2.0 for twice as many parameters.
        Missing where either is, or where the network has none.

    Raises:
        UnknownName: the network is not in the frame.
        InvalidInput: nothing is known of it.
    """
    rows = frame[frame["model"] == model]
    if rows.empty:
        raise UnknownName("network in this comparison", model, frame["model"], see="model")
    one = rows.iloc[0]
    if one[[name for name in RELATIVE if name in frame]].isna().all():
        raise InvalidInput(f"nothing can be relative to {model}: {one['status']}")
    return frame.assign(
        **{
            f"{name}{SUFFIX}": frame[name].astype("float64") / _divisor(one[name])
            for name in RELATIVE
            if name in frame
        }
    )


def _divisor(value: object) -> float:
    import pandas as pd

    return float("nan") if pd.isna(value) or not value else float(value)  # type: ignore[arg-type]


def sort(frame: pd.DataFrame, by: str | Sequence[str]) -> pd.DataFrame:
    """The rows in order; what is missing comes last, and equal rows stay as they were.

    Args:
        frame: a table.
        by: a column, and "desc" or "asc" after a comma: "top1,desc"; or several, the first one
            first.

    Raises:
        UnknownName: there is no such column.
        InvalidInput: a direction other than "asc" and "desc", or a column without an order.
    """
    for text in reversed([by] if isinstance(by, str) else list(by)):
        name, _, direction = (part.strip() for part in text.partition(","))
        if name not in frame:
            raise UnknownName("column", name, frame.columns, see="archscope compare --help")
        if direction not in ("", "asc", "desc"):
            raise InvalidInput(f"--sort '{text}' cannot be read; write {name} or {name},desc")
        frame = _sorted(frame, name, direction == "desc")
    return frame


def _sorted(frame: pd.DataFrame, name: str, descending: bool) -> pd.DataFrame:
    values = frame[name]
    known = values[values.notna()]
    order = sorted(known.index, key=known.to_dict().__getitem__, reverse=descending)
    return frame.loc[[*order, *values[values.isna()].index]]
