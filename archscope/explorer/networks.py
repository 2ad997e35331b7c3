"""A comparison in columns that JSON can hold: texts coded by a dictionary, missing values null."""

from __future__ import annotations

import math
import numbers
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput
from archscope.explorer.fields import KNOWN, Field, Kind, unnamed

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 20_000  # a browser still draws so many points in less than a second
_EXACT = 2**53  # a JavaScript number holds whole numbers up to here
_CONDITIONS = ("batch", "input_shape", "dtype", "mode", "options", "protocol", "device")


def networks(frame: pd.DataFrame) -> dict[str, Any]:
    """The comparison as the page reads it.

    Args:
        frame: a row per network, or per network and setting; ``model`` is the only column that it
            must have, and columns that are not known are shown by their names.

    Returns:
        ``labels`` (a different one for each row), the ``protocol`` to begin with and the ``notes``
        of the comparison, as far as it has them, and ``fields``: for each column its description
        and either ``values`` (numbers, null where missing, whole numbers beyond 2^53 as text) or
        ``words`` and ``codes`` (texts, -1 where missing).

    Raises:
        InvalidInput: the frame has no ``model``, no row, more than ``MOST_ROWS``, or a column
            twice; or a known column of numbers has something else.
    """
    if "model" not in frame.columns:
        raise InvalidInput("a comparison to explore needs a column 'model', a row per network")
    if len(set(map(readable, frame.columns))) < len(frame.columns):
        raise InvalidInput("a comparison to explore has a column twice; give each its own name")
    if not len(frame):
        raise InvalidInput("there is no network to explore: the comparison has no row")
    if len(frame) > MOST_ROWS:
        raise InvalidInput(
            f"a page holds {MOST_ROWS:,} rows and this comparison has {len(frame):,}; choose some, "
            "by their names or with a condition"
        )
    columns = {readable(name): plain(frame[name]) for name in frame.columns}
    ordered = [field for field in KNOWN if field.name in columns]
    known = {field.name for field in KNOWN}
    ordered += [
        unnamed(name, _kind(values, dtype))
        for (name, values), dtype in zip(columns.items(), frame.dtypes, strict=True)
        if name not in known
    ]
    return {
        "labels": _labels(columns),
        "protocol": readable(frame.attrs.get("protocol") or ""),
        "notes": [readable(note) for note in frame.attrs.get("notes", ())],
        "fields": [_coded(field, columns[field.name]) for field in ordered],
    }


def readable(value: Any) -> str:
    """A text that can be written as UTF-8; names of files need not be such."""
    return str(value).encode("utf-8", "replace").decode()


def plain(values: Iterable[Any]) -> list[Any]:
    return [_value(value) for value in values]


def _value(value: Any) -> Any:
    """A bool, an exact int, a finite float, a text, or None where nothing is known."""
    # What there is most of comes first: a page of 1,500 networks has millions of values.
    if value is None or type(value) in (int, bool):
        return value
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return "x".join(map(str, value))
    import pandas as pd

    if value is pd.NA or value is pd.NaT:
        return None
    if type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _value(float(value))
    return readable(value)


def _kind(values: Sequence[Any], dtype: Any) -> Kind:
    found = {type(value) for value in values if value is not None}
    if found == {bool}:
        return "flag"
    numeric = found <= {int, float} if found else dtype.kind in "iuf"
    return "number" if numeric else "text"


def _coded(field: Field, values: Sequence[Any]) -> dict[str, Any]:
    described = {name: value for name, value in asdict(field).items() if value not in ("", 0)}
    if field.kind == "text":
        return described | coded_words([None if v is None else str(v) for v in values])
    if field.kind == "flag":
        return described | {"values": [None if v is None else bool(v) for v in values]}
    for value in values:
        if value is not None and not isinstance(value, int | float):
            raise InvalidInput(f"the column '{field.name}' has '{value}' where a number belongs")
    return described | {"values": [_number(value) for value in values]}


def coded_words(texts: Sequence[str | None]) -> dict[str, list[Any]]:
    """Texts as numbers of words, in the order in which the words first appear; -1 for none."""
    words = {text: code for code, text in enumerate(dict.fromkeys(t for t in texts if t))}
    return {"words": list(words), "codes": [words[t] if t else -1 for t in texts]}


def _number(value: int | float | None) -> int | float | str | None:
    if isinstance(value, int) and abs(value) > _EXACT:
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


def _labels(columns: dict[str, list[Any]]) -> list[str]:
    """The model's name; its conditions where it has several rows; a number where these agree."""
    nameless = (None, "")
    models = ["(no name)" if model in nameless else str(model) for model in columns["model"]]
    rows_of: dict[str, list[int]] = {}
    for row, model in enumerate(models):
        rows_of.setdefault(model, []).append(row)
    labels = list(models)
    for rows in rows_of.values():
        if len(rows) > 1:
            for name in (name for name in _CONDITIONS if name in columns):
                if len({columns[name][row] for row in rows}) > 1:
                    for row in rows:
                        labels[row] += f" · {_condition(name, columns[name][row])}"
    return _numbered(labels)


def _condition(name: str, value: Any) -> str:
    if value is None:
        return f"no {name}"
    return f"batch {value}" if name == "batch" else str(value)


def _numbered(labels: Sequence[str]) -> list[str]:
    total = Counter(labels)
    seen: Counter[str] = Counter()
    taken = set(labels)
    numbered = []
    for label in labels:
        seen[label] += 1
        while total[label] > 1 and f"{label} #{seen[label]}" in taken:
            seen[label] += 1
        numbered.append(label if total[label] == 1 else f"{label} #{seen[label]}")
    return numbered
