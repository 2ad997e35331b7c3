"""From a comparison's rows to what is drawn: points with a family, a weight and a protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    import pandas as pd

USUAL_PROTOCOL = "single-crop"
_LONGEST_NAME = 40  # characters
_MOST_LISTED = 6


@dataclass(frozen=True, slots=True)
class Point:
    """One network in one picture."""

    name: str
    family: str
    x: float
    y: float
    weight: float = 0.0  # what the area stands for; 0 where it stands for nothing
    protocol: str = ""
    disturbed: str = ""
    model: str = ""  # the reference, which two networks never share as they may a shortened name


def points(frame: pd.DataFrame, x: str, y: str, weight: str = "") -> list[Point]:
    """A point for every row that has all figures, in the frame's order.

    Args:
        frame: of ``archscope.compare``, or a part of it.
        x, y, weight: columns of numbers; no weight by default.

    Raises:
        UnknownName: the frame has no such column.
        InvalidInput: no row has all figures, or a weight is negative.
    """
    columns = [column for column in (x, y, weight) if column]
    for column in columns:
        if column not in frame:
            raise UnknownName("column", column, frame.columns, see="frame.columns")
    found = []
    for row, name in zip(frame.to_dict("records"), names(frame), strict=True):
        values = [number(row[column]) for column in columns]
        if all(value is not None for value in values):
            if weight and values[-1] < 0:  # type: ignore[operator]
                raise InvalidInput(f"{name} has {weight} {row[weight]}; no area is below 0")
            found.append(Point(name, family(row), *values, **_marks(row)))  # type: ignore[arg-type]
    if not found:
        lacking = [name for name in columns if frame[name].isna().all()] or columns
        hint = "; give a table of accuracies" if "top1" in lacking else ""
        raise InvalidInput(f"no network here has {' and '.join(lacking)}{hint}")
    return list(dict.fromkeys(found))  # the same row twice is one network


def once(found: list[Point], where: str) -> list[Point]:
    """The points, if no network has two of them: of two devices, say.

    Raises:
        InvalidInput: one has.
    """
    counted = Counter(point.model for point in found)
    twice = next((point for point in found if counted[point.model] > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"{twice.name} has several rows with {where}; keep those of one device and setting"
        )
    return found


def _marks(row: dict[Any, Any]) -> dict[str, str]:
    marks = {name: text(row.get(name)) for name in ("protocol", "disturbed")}
    return marks | {"model": str(row["model"])}


def family(row: dict[Any, Any]) -> str:
    return text(row.get("family")) or "other"


def number(value: Any) -> float | None:
    """A finite number, or None for whatever is missing."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if isfinite(found) else None


def text(value: Any) -> str:
    """A text in one line, nothing for whatever is missing."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def names(frame: pd.DataFrame) -> list[str]:
    """What each network is called: the reference, without a source that all share."""
    models = [str(model) for model in frame["model"]]
    prefixes = {model.partition(":")[0] if ":" in model else "" for model in models}
    if len(prefixes) == 1 and "" not in prefixes:
        models = [model.partition(":")[2] or model for model in models]
    return [shown_name(model) for model in models]


def shown_name(model: object) -> str:
    """A name in one line, without its middle where it is long."""
    return shortened(" ".join(str(model).split()), _LONGEST_NAME)


def shortened(name: str, most: int) -> str:
    """A name of at most so many characters; networks of one file differ at the end."""
    tail = most // 2
    return name if len(name) <= most else f"{name[: most - 1 - tail]}…{name[-tail:]}"


def main_protocol(protocols: Iterable[str]) -> str:
    """The one that is drawn full: a single centre crop if any row has it, or the most frequent."""
    counted = Counter(protocols)
    if USUAL_PROTOCOL in counted or not counted:
        return USUAL_PROTOCOL
    return min(counted, key=lambda name: (-counted[name], name))


def per_image(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The frame with the costs of a batch divided by the batch.

    Args:
        frame: with ``batch``, where it is not 1.
        columns: those of them that grow with the batch.
    """
    if "batch" not in frame:
        return frame
    batch = frame["batch"].astype("float64")
    return frame.assign(**{c: frame[c].astype("float64") / batch for c in columns if c in frame})


def drawn_rows(frame: pd.DataFrame, drawn: Sequence[Point]) -> pd.DataFrame:
    """The rows of networks that are drawn, of which the caption speaks."""
    shown = {point.model for point in drawn}
    return frame[[str(model) in shown for model in frame["model"]]]


def left_out(frame: pd.DataFrame, drawn: Sequence[Point], why: str) -> str:
    """A sentence on the networks that are not drawn; nothing if all are."""
    shown = {point.model for point in drawn}
    missing = {
        str(model): name
        for model, name in zip(frame["model"], names(frame), strict=True)
        if str(model) not in shown
    }
    return f"Not shown, {why}: {listed(list(missing.values()))}." if missing else ""


def listed(items: Sequence[str], most: int = _MOST_LISTED) -> str:
    """a, b, c and 12 more."""
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[: most - 1])} and {len(items) - most + 1} more"
