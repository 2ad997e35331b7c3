"""Measured gradients as a file, and tables of it again: what was measured once is drawn anywhere.

Gradients come from random weights in floating point. With the same seeds another machine gets
numbers that agree to rounding, not to the last bit, so that a picture that must not change is drawn
from a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput, unreadable
from archscope.report.files import write_text

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("gradient-paths", "gradient-flow", "gradient-through-time")
_ABOUT = ("device", "date", "torch")


def save(
    path: str | Path, kind: str, tables: Iterable[pd.DataFrame], about: Mapping[str, Any]
) -> None:
    """Write tables of one kind, whole or not at all.

    Args:
        path: a .json file.
        kind: one of ``KINDS``, for the function that made them.
        tables: of ``gradient_paths``, ``gradient_flow`` or ``gradient_through_time``.
        about: the conditions: ``device``, ``date``, ``torch`` and whatever else is known.

    Raises:
        ArchscopeError: the file cannot be written.
    """
    content = {"kind": kind, "about": dict(about), "tables": [_plain(table) for table in tables]}
    write_text(path, _lines(content))


def load(path: str | Path, kind: str, models: Iterable[str]) -> list[pd.DataFrame]:
    """The tables of these models, in their order.

    Args:
        path: what ``save`` wrote.
        kind: one of ``KINDS``.
        models: references as they were measured.

    Returns:
        The tables; their ``attrs`` have ``device``, ``date`` and ``torch`` too, with which
        ``conditions`` ends.

    Raises:
        InvalidInput: the file cannot be read, is of another kind, or has no such model.
    """
    content = _read(path, kind)
    about = content["about"]
    known = {str(table["attrs"]["model"]): table for table in content["tables"]}
    missing = [model for model in models if model not in known]
    if missing:
        there = ", ".join(known)
        raise InvalidInput(f"{path} has no gradient of {', '.join(missing)}; it has {there}")
    return [_frame(known[model], about) for model in models]


def _read(path: str | Path, kind: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not isinstance(content, dict) or not {"kind", "about", "tables"} <= set(content):
        raise InvalidInput(f"{path} holds no measured gradients; archscope report --measure does")
    if content["kind"] != kind:
        raise InvalidInput(f"{path} holds {content['kind']}, and {kind} is wanted")
    return content


def _told(name: str, value: Any) -> str:
    return (
        f"torch {value}" if name == "torch" else str(value)[:10] if name == "date" else str(value)
    )


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    """Whole numbers stay exact, and what is missing is null."""
    columns = {
        str(name): [_value(value) for value in table[name].tolist()] for name in table.columns
    }
    attrs = {str(name): _value(value) for name, value in table.attrs.items()}
    return {"attrs": attrs, "columns": columns}


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9g}") if value == value else None
    return list(value) if isinstance(value, tuple) else value


def _frame(stored: Mapping[str, Any], about: Mapping[str, Any]) -> pd.DataFrame:
    import pandas as pd

    columns = {
        name: pd.Series(values, dtype=object if name == "paths" else None)
        for name, values in stored["columns"].items()
    }
    table = pd.DataFrame(columns)
    floating = [name for name in columns if name not in ("length", "paths", "layer", "path", "lag")]
    table[floating] = table[floating].astype("float64")
    attrs = {name: tuple(v) if isinstance(v, list) else v for name, v in stored["attrs"].items()}
    where = ", ".join(_told(name, about[name]) for name in _ABOUT if about.get(name))
    attrs["conditions"] = f"{attrs['conditions']}, measured on {where}"
    table.attrs = {**attrs, **{name: about.get(name) for name in _ABOUT}}
    return table


def _lines(content: Mapping[str, Any]) -> str:
    """JSON with a line for each column, so that one network's change is a change of few lines."""
    about = json.dumps(content["about"])
    tables = []
    for table in content["tables"]:
        columns = ",\n".join(
            f"    {json.dumps(name)}: {json.dumps(values)}"
            for name, values in table["columns"].items()
        )
        tables.append(
            f'  {{"attrs": {json.dumps(table["attrs"])},\n   "columns": {{\n{columns}\n   }}}}'
        )
    return (
        f'{{"kind": {json.dumps(content["kind"])},\n"about": {about},\n"tables": [\n'
        + ",\n".join(tables)
        + "\n]}\n"
    )
