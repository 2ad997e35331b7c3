"""Tables as Markdown, LaTeX and HTML."""

from __future__ import annotations

import html as escapes
from collections.abc import Iterator, Sequence
from typing import Literal

from archscope.report.table import Heading, Row, Table, aligned
from archscope.report.tex import escaped


def markdown(table: Table) -> str:
    """A pipe table, aligned for reading as it is."""
    rows = list(_flat(table))
    if table.footer:
        rows.append(table.footer)
    cells = [tuple(map(_markdown, row)) for row in rows]
    if table.footer:
        cells[-1] = tuple(f"**{cell}**" if cell else "" for cell in cells[-1])
    headings = [Heading(_markdown(h.title), _side(h)) for h in table.headings]
    padded = [
        aligned(Heading(h.title.ljust(3), h.align), [row[i] for row in cells] or [""])
        for i, h in enumerate(headings)
    ]
    widths = [len(column[0]) for column in padded]
    titles = [h.title.ljust(w) for h, w in zip(headings, widths, strict=True)]
    rules = [
        "-" * w if h.align == "left" else "-" * (w - 1) + ":"
        for h, w in zip(headings, widths, strict=True)
    ]
    body = [[column[i] for column in padded] for i in range(len(cells))]
    lines = [f"| {' | '.join(line)} |" for line in (titles, rules, *body)]
    paragraphs = [f"**{_markdown(table.title)}**", "\n".join(lines)]
    return "\n\n".join(paragraphs + [_markdown(text) for text in table.caption]) + "\n"


def latex(table: Table) -> str:
    r"""A ``table`` with a booktabs ``tabular``; it needs ``\usepackage{booktabs}`` and no more."""
    sides = "".join("l" if h.align == "left" else "r" for h in table.headings)
    rows = [_latex_row([h.title for h in table.headings]), r"\midrule"]
    rows += map(_latex_row, _flat(table))
    if table.footer:
        rows += [r"\midrule", _latex_row(table.footer)]
    caption = " ".join(escaped(text) for text in table.caption)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(table.title)}. {caption}}}",
            *_SMALL * (_width(table) > _NORMAL_LINE),
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


_NORMAL_LINE = 60  # characters of a table that a column of text holds in the normal size
_SMALL = (r"\footnotesize\setlength{\tabcolsep}{4pt}",)


def _width(table: Table) -> int:
    rows = [tuple(h.title for h in table.headings), *_flat(table)]
    return sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))


def html(table: Table) -> str:
    """A table that brings its own style and scrolls when it is long."""
    heads = [_html_cell("th", h.title, h, _HEAD) for h in table.headings]
    rows = "\n".join(_html_row(row, table) for row in table.rows)
    footer = ""
    if table.footer:
        pairs = zip(table.footer, table.headings, strict=True)
        cells = "".join(_html_cell("td", cell, h, _FOOT) for cell, h in pairs)
        footer = f"<tfoot><tr>{cells}</tr></tfoot>\n"
    caption = "".join(f"<p>{escapes.escape(text)}</p>" for text in table.caption)
    return (
        f'<div style="{_FONT}"><strong>{escapes.escape(table.title)}</strong>\n'
        f'<div style="{_SCROLL}"><table style="border-collapse:collapse">\n'
        f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n{footer}"
        f'</table></div>\n<div style="font-size:85%;max-width:60em">{caption}</div></div>\n'
    )


_FONT = "font-family:sans-serif;font-variant-numeric:tabular-nums"
_SCROLL = "max-height:48em;overflow:auto;width:fit-content;max-width:100%"
_CELL = "padding:1px 8px;white-space:nowrap"
_HEAD = "border-bottom:1px solid;position:sticky;top:0;background:Canvas;color:CanvasText"
_FOOT = "border-top:1px solid;font-weight:bold"


def _html_row(row: Row, table: Table) -> str:
    pairs = zip(row.cells, table.headings, strict=True)
    lines = [f"<tr>{''.join(_html_cell('td', cell, h) for cell, h in pairs)}</tr>"]
    for remark in row.below:
        style = f"{_CELL};text-align:left;font-style:italic;padding-left:24px"
        span = f'colspan="{len(table.headings)}"'
        lines.append(f'<tr><td {span} style="{style}">{escapes.escape(remark)}</td></tr>')
    return "\n".join(lines)


def _html_cell(tag: str, text: str, heading: Heading, style: str = "") -> str:
    declared = ";".join(filter(None, (_CELL, f"text-align:{_side(heading)}", style)))
    return f'<{tag} style="{declared}">{escapes.escape(text)}</{tag}>'


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def _markdown(text: str) -> str:
    return text.translate(_MARKDOWN)


_MARKDOWN = str.maketrans({char: f"\\{char}" for char in "\\|*<`"})


def _flat(table: Table) -> Iterator[Sequence[str]]:
    """The rows, with what stands below one as a row of its own."""
    blanks = ("",) * (len(table.headings) - 1)
    for row in table.rows:
        yield row.cells
        for remark in row.below:
            yield (f"({remark})", *blanks)


def _side(heading: Heading) -> Literal["left", "right"]:
    return "left" if heading.align == "left" else "right"
