"""The table of a report: what each layer costs, in the manner of the lecture's table for VGG-16."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archscope.analyzers.compute import uncovered
from archscope.analyzers.layers import new_bytes
from archscope.report.columns import Column, Layout, columns, default_names, layouts, named
from archscope.report.convention import CONVENTION
from archscope.report.levels import COUNTED, Line, lines
from archscope.report.numbers import exact, memory, plural, shape
from archscope.report.table import Heading, Row, Table, sides

if TYPE_CHECKING:
    from archscope.report.report import Report


@dataclass(frozen=True, slots=True)
class View:
    """How to look at a report.

    Args:
        level: "layer", "block" or "op".
        columns: names of columns; empty for those that suit the level and the mode.
        bias: whether parameters include the biases; the lecture leaves them out.
        everything: show layers too that have nothing in any column.
    """

    level: str = "layer"
    columns: tuple[str, ...] = ()
    bias: bool = False
    everything: bool = False


def tables(report: Report, view: View) -> Iterator[Table]:
    """The table of a report, and then ever narrower ones for a terminal to choose from.

    The numbers behind each column add up to its footer, in whatever view.

    Raises:
        ArchscopeError: there is no such level or column.
    """
    asked_for = named(view.columns)
    every_line = lines(report, view.level)
    names = asked_for or default_names(view.level, every_line, report.trace.mode == "training")
    totals = {name: sum(line.values[name] for line in every_line) for name in COUNTED}
    known = columns(report.trace.batch, view.bias, totals)
    counted = [known[name].counts for name in names if known[name].counts]
    shown = [line for line in every_line if view.everything or _has_something(line, counted)]
    caption = _caption(report, view, names, totals, len(every_line) - len(shown))
    for layout in layouts(names, view.level, bool(asked_for)):
        chosen = [known[name] for name in layout.names]
        left_out = f"Too narrow for {', '.join(layout.left_out)}." if layout.left_out else ""
        yield Table(
            title=report.trace.model,
            headings=tuple(_heading(column, layout, view.level) for column in chosen),
            rows=tuple(_row(line, chosen, layout, view.level) for line in shown),
            footer=_footer(chosen, layout, totals),
            caption=tuple(filter(None, (left_out, *caption))),
            shortest_label=layout.shortest_label,
        )


def _has_something(line: Line, counted: Sequence[str]) -> bool:
    if line.uncounted or line.values["kind"] == "Input" or not counted:
        return True
    return any(line.values[name] for name in counted)


def _heading(column: Column, layout: Layout, level: str) -> Heading:
    return Heading(column.title, "right" if _is_plain(column, layout, level) else column.align)


def _is_plain(column: Column, layout: Layout, level: str) -> bool:
    """Whether an equation is shown without its left side: a block has no formula of its own."""
    return column.align == "equation" and (level == "block" or column.name in layout.plain)


def _row(line: Line, chosen: Sequence[Column], layout: Layout, level: str) -> Row:
    cells = []
    for column in chosen:
        text = line.label if column.name == "path" else column.text(line.values)
        cells.append(sides(text)[1] if _is_plain(column, layout, level) else text)
    shared = (f"shared with {', '.join(line.shared)}",) if line.shared else ()
    return Row(tuple(cells), line.remarks + shared)


def _footer(
    chosen: Sequence[Column], layout: Layout, totals: dict[str, int]
) -> tuple[str, ...] | None:
    if not any(column.counts for column in chosen):
        return None
    texts = []
    for column in chosen:
        write = column.short_total if layout.short_totals else column.total
        texts.append(write(totals[column.counts]) if column.counts else "")
    if not chosen[0].counts:
        texts[0] = "Total"
    return tuple(texts)


def _caption(
    report: Report, view: View, names: Sequence[str], totals: dict[str, int], hidden: int
) -> list[str]:
    """The conditions and the convention, and what a reader of the sums must know."""
    sums = report.sums
    notes = [report.conditions, CONVENTION]
    if "params" in names and not view.bias and totals["biases"]:
        notes.append(
            f"Parameters are without {exact(totals['biases'])} biases; "
            f"{exact(sums['params'])} with them."
        )
    if view.level == "op" and totals["activations"] != sums["activations"]:
        notes.append(
            "Operators inside a layer make tensors of their own: layers by themselves make "
            f"{exact(sums['activations'])} activations."
        )
    made = sum(new_bytes(layer, report.trace) for layer in report.layer_records)
    notes.append(
        f"Activations take {memory(made)}, weights {memory(sums['weight_bytes'])}; memory peaks "
        f"at {memory(sums['peak_bytes'])}. "
        f"The longest path has {plural(sums['depth'], 'weight layer')}."
    )
    if hidden:
        what = plural(hidden, "operator" if view.level == "op" else "layer")
        notes.append(f"Not shown: {what} without a number in any column (in place, views).")
    gaps = uncovered(report.trace)
    if gaps:
        listed = dict.fromkeys(
            f"{op.name} in {op.module or report.trace.model}"
            f" ({', '.join(map(shape, op.output_shapes))})"
            for op in gaps
        )
        notes.append(f"Without a cost formula, and in no sum: {'; '.join(listed)}.")
    return notes
