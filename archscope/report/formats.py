"""One report, every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archscope.errors import ArchscopeError
from archscope.report import data, markup, terminal
from archscope.report.costs import View, tables
from archscope.report.table import FORMATS

if TYPE_CHECKING:
    from archscope.report.report import Report

PAGE = 95  # characters of a table that a printed page holds


def render(
    report: Report,
    format: str,
    *,
    view: View | None = None,
    width: int = 100,
    colour: bool = True,
) -> str:
    """A report as text.

    Args:
        report: the analysis.
        format: "rich" or "plain" for a terminal, "markdown", "latex", "html", "csv" or "json".
        view: level and columns; the lecture's table by default.
        width: of the terminal, in characters.
        colour: whether "rich" may use colour; NO_COLOR turns it off too.

    Returns:
        The text, its last line ended.

    Raises:
        ArchscopeError: there is no such format, level or column.
    """
    view = view or View()
    match format:
        case "rich":
            return terminal.rich(tables(report, view), width, colour=colour)
        case "plain":
            return terminal.plain(tables(report, view), width)
        case "markdown":
            return markup.markdown(next(tables(report, view)))
        case "latex":
            return markup.latex(terminal.fitting(tables(report, view), PAGE))
        case "html":
            return markup.html(next(tables(report, view)))
        case "csv":
            return data.csv(report, view)
        case "json":
            return data.json(report, view)
    raise ArchscopeError(f"unknown format '{format}'; it is one of {', '.join(FORMATS)}")
