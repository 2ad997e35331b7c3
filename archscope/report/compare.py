"""A comparison as a table: the columns that say something, as many as fit."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from archscope.comparison.columns import records
from archscope.comparison.order import SUFFIX
from archscope.errors import ArchscopeError, UnknownName
from archscope.report import markup, terminal
from archscope.report.compare_caption import caption, protocol_marks
from archscope.report.numbers import count, memory, percent, plural, shape
from archscope.report.table import FORMATS, Heading, Row, Table

if TYPE_CHECKING:
    import pandas as pd

PAGE = 80  # characters of a table that a printed page holds


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is drawn."""

    title: str
    text: Callable[[Any], str] = str
    left: bool = False


def _decimal(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}"


def _significant(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


_DRAWN = {
    "model": Column("model", left=True),
    "family": Column("family", left=True),
    "source": Column("source", left=True),
    "year": Column("year"),
    "batch": Column("batch"),
    "input_shape": Column("input", shape),
    "dtype": Column("dtype", left=True),
    "params": Column("params", count),
    "trainable_params": Column("trainable", count),
    "macs": Column("MACs", count),
    "flops": Column("FLOPs", count),
    "activations": Column("activations", count),
    "weight_bytes": Column("weights", memory),
    "peak_bytes": Column("peak", memory),
    "training_peak_bytes": Column("training peak", memory),
    "depth": Column("longest", count),
    "shortest_path": Column("shortest", count),
    "paths": Column("paths", count),
    "mean_path": Column("mean path", _decimal(1)),
    "effective_depth": Column("effective", _decimal(1)),
    "coverage": Column("coverage %", percent),
    "top1": Column("top-1 %", _decimal(2)),
    "top5": Column("top-5 %", _decimal(2)),
    "protocol": Column("protocol", left=True),
    "accuracy_source": Column("accuracy from", left=True),
    "top1_per_mparams": Column("% per Mparam", _significant),
    "device": Column("device", left=True),
    "latency_ms_p50": Column("ms", _significant),
    "throughput_per_s": Column("per s", _significant),
    "energy_mj": Column("mJ", _significant),
    "power_w": Column("W", _significant),
    "disturbed": Column("disturbed", left=True),
    "pareto": Column("front", lambda value: "*" if value else ""),
    "status": Column("status", left=True),
    "remarks": Column("remarks", left=True),
}
_SHOWN = (
    *("model", "family", "year", "params", "macs", "activations", "peak_bytes"),
    *("training_peak_bytes", "depth", "shortest_path", "effective_depth", "top1", "top5"),
    *("top1_per_mparams", "latency_ms_p50", "energy_mj", "pareto"),
)
_SHOWN_RELATIVE = (
    *("model", "params", "params_relative", "macs", "macs_relative", "activations_relative"),
    *("peak_bytes_relative", "training_peak_bytes_relative", "depth", "effective_depth", "top1"),
    *("top5", "top1_per_mparams_relative", "latency_ms_p50", "latency_ms_p50_relative"),
    *("energy_mj", "energy_mj_relative", "pareto"),
)
_SETTING = ("batch", "input_shape", "dtype", "mode", "options", "device")
# What a narrow terminal does without, the first one first.
_LEFT_OUT = (
    *("family", "shortest_path", "top1_per_mparams", "top1_per_mparams_relative", "top5", "year"),
    *("activations", "activations_relative", "peak_bytes", "peak_bytes_relative", "depth"),
    *("training_peak_bytes", "training_peak_bytes_relative", "energy_mj_relative"),
    *("latency_ms_p50_relative", "effective_depth", "energy_mj", "pareto", "latency_ms_p50"),
)


def render(
    frame: pd.DataFrame,
    format: str,
    *,
    columns: Sequence[str] = (),
    width: int = 100,
    colour: bool = True,
) -> str:
    """A comparison as text.

    Args:
        frame: from ``archscope.compare``.
        format: "rich" or "plain" for a terminal, "markdown", "latex", "html", "csv" or "json".
        columns: their names; by default those that say something and fit, and in "csv" and "json"
            all.
        width: of the terminal, in characters.
        colour: whether "rich" may use colour.

    Raises:
        UnknownName: there is no such column.
        ArchscopeError: there is no such format.
    """
    for name in columns:
        check_column(name, frame.columns)
    match format:
        case "rich":
            return terminal.rich(tables(frame, columns), width, colour=colour)
        case "plain":
            return terminal.plain(tables(frame, columns), width)
        case "markdown":
            return markup.markdown(next(tables(frame, columns)))
        case "latex":
            return markup.latex(terminal.fitting(tables(frame, columns), PAGE))
        case "html":
            return markup.html(next(tables(frame, columns)))
        case "csv":
            return _csv(frame[list(columns) or list(frame.columns)])
        case "json":
            return json.dumps(records(frame[list(columns) or list(frame.columns)]), indent=2) + "\n"
    raise ArchscopeError(f"unknown format '{format}'; it is one of {', '.join(FORMATS)}")


def check_column(name: str, known: Sequence[str]) -> None:
    """Raise ``UnknownName`` unless there is such a column."""
    if name not in known:
        raise UnknownName("column", name, known, see="archscope compare --help")


def tables(frame: pd.DataFrame, columns: Sequence[str] = ()) -> Iterator[Table]:
    """The table of a comparison, and then ever narrower ones for a terminal to choose from.

    Args:
        frame: from ``archscope.compare``.
        columns: exactly these, whatever fits; by default those that say something.
    """
    rows = records(frame)
    seen = _View(rows, frame.attrs, protocol_marks(rows, frame.attrs))
    names = list(columns) or _with_values(rows)
    narrowed: list[str] = []
    yield seen.table(names, narrowed)
    for less in () if columns else _LEFT_OUT:
        if less in names:
            names = [name for name in names if name != less]
            narrowed.append(drawn(less).title)
            yield seen.table(names, narrowed)


def drawn(name: str) -> Column:
    """How a column is drawn; one that was joined from elsewhere is shown as it is."""
    if name.endswith(SUFFIX):
        own = drawn(name.removesuffix(SUFFIX))
        return Column(f"x {own.title.removesuffix(' %')}", _significant)
    return _DRAWN.get(name, Column(name, left=True))


def _with_values(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The columns to show: those in which some row has something."""
    relative = any(name.endswith(SUFFIX) for row in rows[:1] for name in row)
    model, *others = _SHOWN_RELATIVE if relative else _SHOWN
    return [
        model,
        *_told_apart_by(rows),
        *(name for name in others if any(row.get(name) not in (None, False) for row in rows)),
    ]


def _told_apart_by(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Of a network with several rows, in what they differ."""
    networks = len({row["model"] for row in rows})
    return [
        name
        for name in _SETTING
        if len({(row["model"], row.get(name)) for row in rows if row.get(name)}) > networks
    ]


@dataclass(frozen=True, slots=True)
class _View:
    """The rows of a frame on their way to a table, and what ``compare`` says of them."""

    rows: Sequence[dict[str, Any]]
    about: Mapping[Any, Any]
    marks: dict[str | None, str]

    def table(self, names: Sequence[str], narrowed: Sequence[str]) -> Table:
        columns = [drawn(name) for name in names]
        left_out = f"Too narrow for {', '.join(narrowed)}." if narrowed else ""
        return Table(
            title=plural(len({row["model"] for row in self.rows}), "network"),
            headings=tuple(Heading(c.title, "left" if c.left else "right") for c in columns),
            rows=tuple(self._row(row, names) for row in self.rows),
            caption=tuple(filter(None, (left_out, *caption(self.rows, names, self.about)))),
        )

    def _row(self, row: dict[str, Any], names: Sequence[str]) -> Row:
        return Row(tuple(self._cell(row, name) for name in names))

    def _cell(self, row: dict[str, Any], name: str) -> str:
        value = row.get(name)
        text = "" if value is None else drawn(name).text(value)
        if name in ("top1", "top5") and self.marks:
            mark = self.marks.get(row["protocol"], " ") if text else " "
            return f"{text} {mark}"
        if name in ("latency_ms_p50", "energy_mj") and text and row.get("disturbed"):
            return f"{text}!"
        return text


def _csv(frame: pd.DataFrame) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in records(frame):
        writer.writerow(
            ["" if v is None else shape(v) if isinstance(v, tuple) else v for v in row.values()]
        )
    return out.getvalue()
