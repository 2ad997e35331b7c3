"""The key of a picture: lines that say what is drawn, in blocks, above or beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.offsetbox import DrawingArea, HPacker, OffsetBox, TextArea, VPacker
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from archscope.plots.labels import text_width
from archscope.plots.style import GREY

_SIZE = 7.0
_BETWEEN = 16.0  # points between blocks of the key
_APART = 10.0  # points between columns of a block


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the key: something drawn, and what it means."""

    artists: tuple[Callable[[], Artist], ...]  # what makes them, their places in points
    text: str
    width: float = 12.0  # points that the drawing takes
    height: float = 9.0


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of the key that belong together.

    Attributes:
        title: above them.
        entries: one below the other.
        weights: how much each entry matters; with them, a key that finds no room leaves out those
            that matter least.
        rest: what the line that then says how many are missing calls them.
    """

    title: str
    entries: tuple[Entry, ...]
    weights: tuple[float, ...] = ()
    rest: str = "more"

    def shortened(self, most: int) -> Block:
        """At most so many lines, the last of which says how many entries are left out."""
        if not self.weights or len(self.entries) <= most:
            return self
        places = sorted(range(len(self.entries)), key=lambda place: -self.weights[place])
        kept = sorted(places[: most - 1])
        left_out = Entry((), f"and {len(self.entries) - len(kept)} {self.rest}")
        return Block(self.title, (*(self.entries[place] for place in kept), left_out))


def stacked(blocks: Sequence[Block]) -> OffsetBox:
    """Blocks above each other."""
    stacks = []
    for block in blocks:
        lines = [_line(entry) for entry in block.entries]
        stacks.append(_stack([*_title(block), *lines]))
    return _stack(stacks, gap=8)


def in_rows(blocks: Sequence[Block], width: float) -> OffsetBox:
    """Blocks in rows, as many beside each other as find room."""
    rows: list[list[Artist]] = []
    left = 0.0
    for block in blocks:
        box, wide = _columned(block, width)
        if not rows or wide > left:
            rows.append([])
            left = width
        rows[-1].append(box)
        left -= wide + _BETWEEN
    packed = [HPacker(children=row, pad=0, sep=_BETWEEN, align="top") for row in rows]
    return _stack(packed, gap=5)


def _columned(block: Block, width: float) -> tuple[Artist, float]:
    """A block with its entries in as many columns as find room, and its width in points."""
    for count in range(-(-len(block.entries) // 2), 0, -1):
        depth = -(-len(block.entries) // count)
        starts = range(0, len(block.entries), depth)
        columns = [block.entries[start : start + depth] for start in starts]
        wide = sum(max(map(_entry_width, column)) + _APART for column in columns) - _APART
        if wide <= width:
            break
    stacks: list[Artist] = [_stack([_line(entry) for entry in column]) for column in columns]
    row = HPacker(children=stacks, pad=0, sep=_APART, align="top")
    return _stack([*_title(block), row]), wide


def _entry_width(entry: Entry) -> float:
    return entry.width + (4 + text_width(entry.text, _SIZE) if entry.text else 0)


def _stack(children: Sequence[Artist], gap: float = 2) -> OffsetBox:
    return VPacker(children=list(children), pad=0, sep=gap, align="left")


def _title(block: Block) -> list[OffsetBox]:
    if not block.title:
        return []
    style = {"fontsize": _SIZE, "weight": "bold", "parse_math": False}
    return [TextArea(block.title, textprops=style)]


def _line(entry: Entry) -> OffsetBox:
    area = DrawingArea(entry.width, entry.height, 0, 0)
    for artist in entry.artists:
        area.add_artist(artist())
    if not entry.text:
        return area
    text = TextArea(entry.text, textprops={"fontsize": _SIZE, "parse_math": False})
    return HPacker(children=[area, text], pad=0, sep=4, align="center")


def dot(x: float = 6.0, y: float = 4.5, **style: Any) -> Callable[[], Artist]:
    """A marker, by default in the middle of an entry's drawing."""
    return lambda: Line2D([x], [y], ls="", **style)


def ring(x: float = 6.0, y: float = 4.5, radius: float = 4.0, **style: Any) -> Callable[[], Artist]:
    """A circle, whose line may be dashed."""
    return lambda: Circle((x, y), radius, **style)


def patch(color: str = "white", hatch: str = "") -> Callable[[], Artist]:
    """A bar lying down."""
    return lambda: Rectangle((1, 1), 14, 7, fc=color, ec=GREY, lw=0.4, hatch=hatch)


def stroke(xs: Sequence[float], ys: Sequence[float], **style: Any) -> Callable[[], Artist]:
    """A line from point to point."""
    return lambda: Line2D(list(xs), list(ys), **style)


def written(x: float, y: float, text: str) -> Callable[[], Artist]:
    """A text that begins there."""
    style = {"fontsize": _SIZE, "va": "center", "parse_math": False}
    return lambda: Text(x, y, text, **style)  # type: ignore[arg-type]
