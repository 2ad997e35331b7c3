"""Tables on a terminal: plain characters, or with colour and rules."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import takewhile

from archscope.report.table import Table, aligned

GAP = "  "


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters of a rendering."""

    rule: str
    ellipsis: str


PLAIN = Signs(rule="-", ellipsis="..")
RICH = Signs(rule="─", ellipsis="…")

# A line of the output: pieces of text, each with a style of rich.
_Styled = list[tuple[str, str]]


def plain(tables: Iterable[Table], width: int) -> str:
    """The widest table that fits, in ASCII and without colour."""
    drawn = _draw(fitting(tables, width), width, PLAIN)
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in drawn)


def rich(tables: Iterable[Table], width: int, *, colour: bool = True) -> str:
    """The widest table that fits, with rules and, unless NO_COLOR is set, colour."""
    from rich.console import Console
    from rich.text import Text

    drawn = _draw(fitting(tables, width), width, RICH)
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=colour, highlight=False)
    for line in drawn:
        console.print(Text.assemble(*line), soft_wrap=True)
    return out.getvalue()


def fitting(tables: Iterable[Table], width: int) -> Table:
    """The first table that fits, its labels shortened if need be; the last one if none does."""
    found = None
    for table in tables:
        found = table
        widths = _natural_widths(table)
        if min(widths[0], table.shortest_label) + _beside(widths) <= width:
            break
    if found is None:
        raise ValueError("there is no table to draw")
    return found


def _natural_widths(table: Table) -> list[int]:
    return [len(cells[0]) for cells in _columns(table)]


def _beside(widths: Sequence[int]) -> int:
    """What all columns but the first take."""
    return sum(widths[1:]) + len(GAP) * (len(widths) - 1)


def _columns(table: Table) -> list[list[str]]:
    """The padded cells of every column; the footer's, if there is one, come last."""
    rows = [row.cells for row in table.rows] + ([table.footer] if table.footer else [])
    return [
        aligned(heading, [row[i] for row in rows] or [""])
        for i, heading in enumerate(table.headings)
    ]


def _draw(table: Table, width: int, signs: Signs) -> Iterator[_Styled]:
    padded = _columns(table)
    room = max(width - _beside([len(cells[0]) for cells in padded]), 1)
    label = min(len(padded[0][0]), room)
    padded[0] = _labels([cell.rstrip() for cell in padded[0]], label, signs)
    widths = [len(cells[0]) for cells in padded]
    rule = signs.rule * (sum(widths) + len(GAP) * (len(widths) - 1))
    titles = [
        title.ljust(w) if h.align == "left" else title.rjust(w)
        for h, w in zip(table.headings, widths, strict=True)
        for title in [_shortened(h.title, w, signs)]
    ]
    yield [(_shortened(table.title, width, signs), "bold")]
    yield [(rule, "dim")]
    yield [(GAP.join(titles), "bold")]
    yield [(rule, "dim")]
    for i, row in enumerate(table.rows):
        yield _line([cells[i] for cells in padded])
        for remark in row.below:
            yield [(_shortened(f"  {remark}", width, signs), "italic dim")]
    yield [(rule, "dim")]
    if table.footer:
        yield [(GAP.join(cells[-1] for cells in padded), "bold")]
    for paragraph in table.caption:
        for line in textwrap.wrap(paragraph, max(min(width, len(rule)), min(width, 60))):
            yield [(line, "dim")]


def _line(cells: Sequence[str]) -> _Styled:
    """A row; what is nothing stays in the background."""
    styled: _Styled = []
    for i, cell in enumerate(cells):
        style = "cyan" if i == 0 else "dim" if cell.strip() == "0" else ""
        styled += [(GAP if i else "", ""), (cell, style)]
    return styled


def _labels(labels: Sequence[str], width: int, signs: Signs) -> list[str]:
    """Paths in so many characters; of a long one, what the line above says too is left out."""
    texts = []
    for above, label in zip(["", *labels], labels, strict=False):
        known = _known_modules(above, label) if len(label) > width else ""
        text = signs.ellipsis + label.removeprefix(known) if known else label
        texts.append(_shortened(text, width, signs).ljust(width))
    return texts


def _known_modules(above: str, label: str) -> str:
    """What a path shares with the one above: "block1." of block1.conv2 below block1.conv1.

    Paths of different depth share nothing, lest a reader complete them wrongly.
    """
    ours, theirs = label.split("."), above.split(".")
    if len(ours) != len(theirs):
        return ""
    pairs = zip(ours[:-1], theirs[:-1], strict=True)
    return "".join(f"{module}." for module, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _shortened(text: str, width: int, signs: Signs) -> str:
    """The text with its middle left out: both the beginning and the end of a path tell it."""
    if len(text) <= width:
        return text
    kept = width - len(signs.ellipsis)
    if kept < 2:
        return text[:width]
    end = (kept + 1) // 2
    return text[: kept - end] + signs.ellipsis + text[len(text) - end :]
