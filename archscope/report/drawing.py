"""Tables and the raw numbers behind them in any format: what every command but ``table`` prints."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from archscope.errors import ArchscopeError
from archscope.report import markup, terminal
from archscope.report.numbers import shape
from archscope.report.table import Heading, Row, Table

FORMATS = ("rich", "plain", "markdown", "latex", "html", "csv", "json")


def draw(
    tables: Sequence[Table],
    format: str,
    *,
    data: Any = None,
    rows: Sequence[Mapping[str, Any]] = (),
    width: int = 100,
    colour: bool = True,
) -> str:
    """Tables as text.

    Args:
        tables: drawn one below the other.
        format: one of ``FORMATS``.
        data: what "json" prints.
        rows: what "csv" prints, each with the same keys.
        width: of a terminal, in characters.
        colour: whether "rich" may use colour.

    Raises:
        ArchscopeError: there is no such format.
    """
    match format:
        case "rich":
            return "\n".join(terminal.rich([table], width, colour=colour) for table in tables)
        case "plain":
            return "\n".join(terminal.plain([table], width) for table in tables)
        case "markdown":
            return "\n".join(map(markup.markdown, tables))
        case "latex":
            return "\n".join(map(markup.latex, tables))
        case "html":
            return "\n".join(map(markup.html, tables))
        case "csv":
            return _csv(rows)
        case "json":
            return json.dumps(data, indent=2) + "\n"
    raise ArchscopeError(f"unknown format '{format}'; it is one of {', '.join(FORMATS)}")


def table(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[str] = (),
    caption: Sequence[str] = (),
    footer: Sequence[str] | None = None,
) -> Table:
    """A table of texts; the first column and those named in ``left`` are left-aligned."""
    return Table(
        title=title,
        headings=tuple(
            Heading(heading, "left" if i == 0 or heading in left else "right")
            for i, heading in enumerate(headings)
        ),
        rows=tuple(Row(tuple(row)) for row in rows),
        caption=tuple(caption),
        footer=None if footer is None else tuple(footer),
    )


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows([_field(value) for value in row.values()] for row in rows)
    return out.getvalue()


def _field(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return shape(value)
    return "" if value is None else value
