"""A comparison as a table: the columns that say something, as many as fit."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from archscope.comparison.columns import records
from archscope.comparison.order import SUFFIX
from archscope.errors import ArchscopeError, UnknownName
from archscope.published import PROTOCOLS
from archscope.report import markup, terminal
from archscope.report.numbers import count, memory, percent, plural, shape
from archscope.report.table import FORMATS, Heading, Row, Table

if TYPE_CHECKING:
    import pandas as pd

PAGE = 80  # characters of a table that a printed page holds
_FEW = 6  # exceptions or sources that a caption names one by one


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
    seen = _View(frame, rows, _marks(frame, rows))
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
    return [
        name
        for name in (_SHOWN_RELATIVE if relative else _SHOWN)
        if name == "model" or any(row.get(name) not in (None, False) for row in rows)
    ]


def _marks(frame: pd.DataFrame, rows: Sequence[dict[str, Any]]) -> dict[str | None, str]:
    """A letter for every protocol but the wanted one; None is a protocol that is not stated."""
    found = dict.fromkeys(row["protocol"] for row in rows if row["top1"] is not None)
    others = [name for name in found if name != wanted_protocol(frame)]
    return dict(zip(others, ascii_lowercase, strict=False))


def wanted_protocol(frame: pd.DataFrame) -> str:
    """The protocol of the accuracies that a comparison shows unmarked."""
    return frame.attrs.get("protocol", PROTOCOLS[0])


@dataclass(frozen=True, slots=True)
class _View:
    """A frame on its way to a table."""

    frame: pd.DataFrame
    rows: Sequence[dict[str, Any]]
    marks: dict[str | None, str]

    def table(self, names: Sequence[str], narrowed: Sequence[str]) -> Table:
        columns = [drawn(name) for name in names]
        left_out = f"Too narrow for {', '.join(narrowed)}." if narrowed else ""
        return Table(
            title=plural(len(self.rows), "network"),
            headings=tuple(Heading(c.title, "left" if c.left else "right") for c in columns),
            rows=tuple(self._row(row, names) for row in self.rows),
            caption=tuple(filter(None, (left_out, *notes(self.frame, names)))),
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


# -- the caption -----------------------------------------------------------------------------------


def notes(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[str]:
    """What a reader of these columns must know: conditions, conventions, protocols, failures."""
    from archscope.report.report import CONVENTION

    rows = [row for row in records(frame) if row["batch"] is not None]
    shown = {name.removesuffix(SUFFIX) for name in names}
    if rows:
        yield f"{_inputs(rows)}, {_values_of(rows, 'dtype')}, batch {_values_of(rows, 'batch')}."
    gaps = [
        f"{row['model']} {percent(row['coverage'])} %"
        for row in rows
        if row["coverage"] is not None and row["coverage"] < 1
    ]
    if gaps:
        yield f"Cost formulas cover less than all operators of {', '.join(gaps)}."
    if shown & {"macs", "flops", "activations"}:
        yield CONVENTION
    yield _sentences(shown)
    if shown & {"top1", "top5", "top1_per_mparams", "pareto"}:
        yield from _about_accuracy(frame, rows, shown)
    if shown & {"latency_ms_p50", "throughput_per_s", "energy_mj", "power_w"}:
        yield from _about_measurements(rows, shown)
    if any(name.endswith(SUFFIX) for name in names):
        yield f"x is in multiples of {frame.attrs.get('relative_to', 'one network')}."
    yield from frame.attrs.get("notes", ())
    remarks = {row["model"]: row["remarks"] for row in rows if row.get("remarks")}
    for model, reason in (frame.attrs.get("failed", {}) | remarks).items():
        yield reason if reason.startswith(model) else f"{model}: {reason}"


def _sentences(shown: set[str]) -> str:
    found = []
    if "peak_bytes" in shown:
        found.append("Peak is all that is alive at once in inference.")
    if "training_peak_bytes" in shown:
        found.append("Training peak is that of a forward and a backward pass, no optimizer.")
    if shown & {"depth", "shortest_path"}:
        found.append("Longest and shortest path count weight layers.")
    if "effective_depth" in shown:
        found.append("Effective depth weights path lengths by gradient, with random weights.")
    return " ".join(found)


def _inputs(rows: Sequence[dict[str, Any]]) -> str:
    """Input 3x224x224 (3x227x227 for alexnet); several sizes if there are too many to name."""
    samples = Counter(shape(row["input_shape"][1:]) for row in rows)
    (usual, _), *others = samples.most_common()
    exceptions = [row for row in rows if shape(row["input_shape"][1:]) != usual]
    if len(exceptions) > _FEW:
        return f"Input {usual} of {samples[usual]} networks, others of {len(others)} other sizes"
    named = [f"{shape(row['input_shape'][1:])} for {row['model']}" for row in exceptions]
    return f"Input {usual} ({', '.join(named)})" if named else f"Input {usual}"


def _values_of(rows: Sequence[dict[str, Any]], name: str) -> str:
    return ", ".join(dict.fromkeys(str(row[name]) for row in rows))


def _about_accuracy(
    frame: pd.DataFrame, rows: Sequence[dict[str, Any]], shown: set[str]
) -> Iterator[str]:
    known = [row for row in rows if row["top1"] is not None]
    if not known:
        return
    wanted = wanted_protocol(frame)
    marks = _marks(frame, rows)
    others = ", ".join(f"{mark} {name or 'not stated'}" for name, mark in marks.items())
    besides = f", except {others}: protocols do not compare" if others else ""
    yield f"Accuracy as published, {wanted}{besides}."
    if "top1_per_mparams" in shown:
        yield "% per Mparam is top-1 accuracy over millions of parameters."
    if "pareto" in shown:
        yield (
            "* on the front: no other of its protocol has more top-1 for as few MACs, or as much "
            "for fewer."
        )
    sources: dict[str, list[str]] = {}
    for row in known:
        sources.setdefault(row["accuracy_source"], []).append(row["model"])
    if len(sources) <= _FEW:
        listed = [f"{source} ({', '.join(models)})" for source, models in sources.items()]
        yield f"Sources: {'; '.join(listed)}."
    else:
        yield f"{len(sources)} sources are in the column accuracy_source."


def _about_measurements(rows: Sequence[dict[str, Any]], shown: set[str]) -> Iterator[str]:
    devices = dict.fromkeys(row["device"] for row in rows if row["device"] is not None)
    if devices:
        energy = "; energy is per sample" if "energy_mj" in shown else ""
        yield f"Measured on {', '.join(devices)}{energy}."
    for row in rows:
        if row.get("disturbed"):
            yield f"! {row['model']}: {row['disturbed']}."
