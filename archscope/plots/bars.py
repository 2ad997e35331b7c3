"""A bar for every network: Figures 1 and 10 of Canziani et al., arXiv:1605.07678."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from archscope.arguments import checked, inches
from archscope.plots import labels
from archscope.plots.bubbles import LONGEST_FAMILY, other_protocols
from archscope.plots.captions import accuracy as accuracy_of
from archscope.plots.captions import caption, conditions
from archscope.plots.families import looks
from archscope.plots.key import Block, Entry, patch
from archscope.plots.operations import front
from archscope.plots.points import (
    Point,
    drawn_rows,
    left_out,
    main_protocol,
    points,
    shortened,
)
from archscope.plots.sheet import Sheet, begin, finish
from archscope.plots.style import WIDE, styled
from archscope.plots.tables import axes, compared

if TYPE_CHECKING:
    import pandas as pd

_MOST_BARS = 60  # of more bars, only those of the front have names
_COSTS = {"macs": "MACs", "params": "parameters"}
_FEWEST_PLACES = 5
_HATCHES = ("////", "....", "xxxx")
_NAMES_SHARE = 0.35  # of the figure's height, at most, for the names below bars
_LETTER = 4.4  # points, on the average
_KEY_LETTERS = 24  # of families that share a colour, in a line of the key
_BODY = 5.0  # points between the spots of a bar that names keep off


@checked(frame=compared("top1"), ax=axes, size=inches)
def accuracy(
    frame: pd.DataFrame, ax: Axes | None = None, *, size: tuple[float, float] | None = None
) -> Figure:
    """Top-1 accuracy of each network, a bar each: Canziani's Fig. 1.

    Args:
        frame: of ``archscope.compare``.
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches.

    Returns:
        Bars from the least accurate to the most accurate network; the axis starts at a multiple
        of ten, as in the paper, and the caption says at which.

    Raises:
        InvalidInput: no network of the frame has an accuracy.
    """
    found = points(frame.assign(place=0), "place", "top1")
    start = max(10 * floor((min(point.y for point in found) - 5) / 10), 0)
    note = f"Bars start at {start} %." if start else ""
    title = "top-1 accuracy (%)"
    return _bars(frame, ax, found, title, start, size, "Accuracy", note, cost="macs")


@checked(frame=compared("top1", "top1_per_mparams"), ax=axes, size=inches)
def density(
    frame: pd.DataFrame, ax: Axes | None = None, *, size: tuple[float, float] | None = None
) -> Figure:
    """Information density of each network, top-1 accuracy per parameter: Canziani's Fig. 10.

    Args:
        frame: of ``archscope.compare``, with ``top1_per_mparams`` (% per million parameters).
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches.

    Raises:
        InvalidInput: no network of the frame has an accuracy.
    """
    found = points(frame.assign(place=0), "place", "top1_per_mparams")
    title = "top-1 accuracy density (% per million parameters)"
    page = "Accuracy per parameter"
    return _bars(frame, ax, found, title, 0, size, page, "", cost="params")


def _bars(
    frame: pd.DataFrame,
    ax: Axes | None,
    found: Sequence[Point],
    title: str,
    start: float,
    size: tuple[float, float] | None,
    page: str,
    note: str,
    *,
    cost: str,
) -> Figure:
    bars = sorted(found, key=lambda point: (point.y, point.name))
    main = main_protocol(point.protocol for point in bars)
    with styled(fine=True):
        sheet = begin(ax, size)
        (axes,) = sheet.panels
        few = len(bars) <= _MOST_BARS * min(sheet.width / (72 * WIDE), 1)
        _draw(axes, bars, start, main, sheet, few)
        axes.set_ylabel(title)
        sheet.key += [_families(bars), *_protocols(bars)]
        said = caption(
            accuracy_of(drawn_rows(frame, bars), main),
            conditions(drawn_rows(frame, bars)),
            note,
            "" if few else f"Named are those that no other beats in accuracy and {_COSTS[cost]}.",
            left_out(frame, bars, "for want of a published accuracy"),
        )
        figure = finish(sheet, said, page)
        if not few:
            _name_the_best(axes, _best(frame, cost), bars)
    return figure


def _draw(
    axes: Axes, bars: Sequence[Point], start: float, main: str, sheet: Sheet, few: bool
) -> None:
    look = looks(bar.family for bar in bars)
    others = other_protocols(bars)
    for place, bar in enumerate(bars):
        colour, full = look[bar.family].colour, bar.protocol == main
        axes.bar(
            [place],
            [bar.y - start],
            bottom=start,
            width=0.78 if few else 1.0,
            facecolor=colour if full else "white",
            edgecolor=colour,
            linewidth=0.6 if few else 0,
            hatch=None if full else _HATCHES[others.index(bar.protocol) % len(_HATCHES)],
            gid=f"bar {bar.name}",
        )
    beside = max(_FEWEST_PLACES - len(bars), 0) / 2  # so that few bars are not broad ones
    axes.set_xlim(-0.7 - beside, len(bars) - 0.3 + beside)
    least, most = (edge(bar.y for bar in bars) - start for edge in (min, max))
    axes.set_ylim(start + 1.12 * min(least, 0), start + (1.12 * max(most, 0) or 1))
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", length=0)
    if few:
        _name_each(axes, bars, sheet)
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(bars)} networks, the best at the right")


def _name_each(axes: Axes, bars: Sequence[Point], sheet: Sheet) -> None:
    """Names below the bars, and their values above them where there is room."""
    most = int(72 * sheet.figure.get_figheight() * _NAMES_SHARE / _LETTER)
    shown = [shortened(bar.name, most) for bar in bars]
    axes.set_xticks(range(len(bars)), shown, rotation=90, parse_math=False)
    across = 0.8 * sheet.width / max(len(bars), _FEWEST_PLACES)  # points that a bar takes
    if across < 7:
        return
    for place, bar in enumerate(bars):
        axes.annotate(
            f"{bar.y:.3g}" if bar.y < 9.95 else f"{bar.y:.1f}",
            (place, bar.y),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=6,
            rotation=0 if across > 19 else 90,
        )


def _families(bars: Sequence[Point]) -> Block:
    """A line for each colour: bars have nothing else that tells families apart."""
    look = looks(bar.family for bar in bars)
    counted = Counter(bar.family for bar in bars)
    sharing: dict[str, list[str]] = {}
    for name in sorted(look, key=lambda name: (-counted[name], name)):
        sharing.setdefault(look[name].colour, []).append(name)
    entries = [
        Entry((patch(color=colour),), _sharing(names), 16)
        for colour, names in sorted(sharing.items(), key=lambda item: item[1][0])
    ]
    return Block("family", tuple(entries))


def _sharing(families: Sequence[str]) -> str:
    """As many of them as a line of the key holds, the most frequent first."""
    most = next(
        (k for k in range(len(families), 1, -1) if len(", ".join(families[:k])) <= _KEY_LETTERS), 1
    )
    more = len(families) - most
    return ", ".join(shortened(name, LONGEST_FAMILY) for name in families[:most]) + (
        f", {more} more" if more else ""
    )


def _protocols(bars: Sequence[Point]) -> list[Block]:
    entries = [
        Entry(
            (patch(hatch=_HATCHES[index % len(_HATCHES)]),),
            shortened(name, LONGEST_FAMILY) or "protocol not stated",
            16,
        )
        for index, name in enumerate(other_protocols(bars))
    ]
    return [Block("other protocols", tuple(entries))] if entries else []


def _name_the_best(axes: Axes, best: set[str], bars: Sequence[Point]) -> None:
    """Names of some bars, clear of all of them."""
    inches = 72 / axes.figure.dpi
    spots: list[labels.Bubble] = []
    wanted: list[labels.Label] = []
    for place, bar in enumerate(bars):
        x, y = (axes.transData.transform((place, bar.y)) - axes.bbox.p0) * inches
        if bar.model in best:
            wanted.append(labels.Label(bar.name, len(spots)))
        spots.append(labels.Bubble(float(x), float(y), 0.1))
        below = range(1, int(min(y, 20 * _BODY) // _BODY))
        spots += [labels.Bubble(float(x), float(y) - k * _BODY, 0.1) for k in below]
    labels.write(axes, labels.plan(axes, wanted, spots, 6.0))


def _best(frame: pd.DataFrame, cost: str) -> set[str]:
    """The models that no other beats in both accuracy and a cost."""
    if cost not in frame:
        return set()
    found = points(frame, cost, "top1")
    return {point.model for point in front(found, main_protocol(p.protocol for p in found))}
