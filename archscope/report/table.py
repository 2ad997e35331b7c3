"""A table before it is drawn: columns, rows of text, a footer, a caption. Renderers draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FORMATS = ("rich", "plain", "markdown", "latex", "html", "csv", "json")

# "equation" is right-aligned on both sides of its " = ".
Align = Literal["left", "right", "equation"]


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a column."""

    title: str
    align: Align = "right"


@dataclass(frozen=True, slots=True)
class Row:
    """A text for every column, and lines that stand below the row."""

    cells: tuple[str, ...]
    below: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """What every renderer draws. The first column is the one that may be shortened."""

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    footer: tuple[str, ...] | None = None
    caption: tuple[str, ...] = ()  # paragraphs
    shortest_label: int = 20  # to which a terminal may shorten the first column


EQUALS = " = "


def sides(cell: str) -> tuple[str, str]:
    """An equation's sides; a plain number is a right side."""
    left, _, right = cell.rpartition(EQUALS)
    return left, right


def aligned(heading: Heading, cells: Sequence[str]) -> list[str]:
    """The cells of one column, padded to one width."""
    if heading.align == "equation":
        cells = _equations(cells)
    width = max(map(len, [heading.title, *cells]))
    if heading.align == "left":
        return [cell.ljust(width) for cell in cells]
    return [cell.rjust(width) for cell in cells]


def _equations(cells: Sequence[str]) -> list[str]:
    # A total without a left side may reach under the left sides of the others.
    parts = [sides(cell) for cell in cells]
    width = max((len(right) for left, right in parts if left), default=0)
    return [f"{left}{EQUALS}{right:>{width}}" if left else right for left, right in parts]
