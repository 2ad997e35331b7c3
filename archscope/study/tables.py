"""Exported results and stored comparisons, read again as they were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import ArchscopeError, InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet",)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def is_table(path: str | Path) -> bool:
    """Whether a file is a table by its name, and no store of a study."""
    return str(path).lower().endswith((*_CSV, *_PARQUET))


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a table of networks.

    Args:
        path: a .csv, .csv.gz or .parquet file with a column ``model``, as
            ``archscope study export`` and ``archscope compare -o`` write it.

    Returns:
        A dictionary for each row, with the columns of a comparison in their own types (shapes as
        tuples, whole numbers exactly) and others as the file has them; None for what is missing.
        ``status`` is "ok" where the file does not have it.

    Raises:
        InvalidInput: a file that cannot be read, without a column ``model`` or without a row, or
            with something else than a number where a number belongs.
        ArchscopeError: a .parquet file, and no pyarrow.
    """
    from archscope.comparison.columns import COLUMNS, records

    path = Path(path)
    if not path.is_file():
        raise InvalidInput(f"there is no table {path}; `archscope study export` makes one")
    table = _parquet(path) if path.suffix.lower() in _PARQUET else _csv(path, COLUMNS)
    if "model" not in table:
        raise InvalidInput(f"{path} has no column 'model', a row per network")
    if table.empty:
        raise InvalidInput(f"{path} has no row")
    rows = records(table)
    for line, row in enumerate(rows, start=2):
        if row["model"] is None:
            raise InvalidInput(f"{path}, line {line}: there is no model")
        for name in row.keys() & COLUMNS.keys():
            row[name] = _read(path, line, name, COLUMNS[name], row[name])
        row.setdefault("status", "ok")
    return rows


def _csv(path: Path, known: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(
            path, dtype=dict.fromkeys(known, str), keep_default_na=False, na_values=[""]
        )
    except (OSError, EOFError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except ImportError:
        raise ArchscopeError("a .parquet file needs pyarrow: pip install pyarrow") from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _read(path: Path, line: int, name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    try:
        return _READ[kind](value)
    except (KeyError, ValueError, OverflowError):
        wanted = _WANTED[kind]
        raise InvalidInput(f"{path}, line {line}: {name} is '{value}', not {wanted}") from None


def _whole(value: Any) -> int:
    """Exactly: "18014398509481984" has more digits than a float; 2015.0 is what pandas made."""
    try:
        return int(value if isinstance(value, str) else str(value))
    except ValueError:
        number = float(value)
        if not number.is_integer():
            raise
        return int(number)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in (value.split("x") if isinstance(value, str) else value))


def _flag(value: Any) -> bool:
    return _FLAGS[str(value).lower()]


_READ: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "whole": _whole,
    "exact": _whole,
    "number": float,
    "shape": _shape,
    "flag": _flag,
}
_WANTED = {
    "whole": "a whole number",
    "exact": "a whole number",
    "number": "a number",
    "shape": "a shape such as 1x3x224x224",
    "flag": "true or false",
}
