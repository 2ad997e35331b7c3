"""Networks as bubbles: area for a cost, colour and marker for the family, a name for each.

A bubble is filled if its accuracy is by the main protocol, and hollow if by another. The figure is
laid out first; limits, then names, follow from the size that the axes have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10, sqrt
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis as MplAxis
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullLocator

from archscope.plots import labels
from archscope.plots.captions import caption as sentences
from archscope.plots.families import Look, looks
from archscope.plots.key import Block, Entry, dot, ring, stroke, written
from archscope.plots.points import Point, listed, main_protocol, shortened
from archscope.plots.sheet import Sheet, finish, too_small
from archscope.plots.style import GREY, WIDE

LONGEST_FAMILY = 28  # characters in the key
MOST_NAMED = 40  # networks in a full-width figure; of more, only those of the front have names
_LARGEST = 0.115  # diameter of the largest bubble in widths of the panel
_TALLEST = 0.32  # diameter in heights of the panel
_LEAST_CROWDED = 0.4  # of that size, however many networks there are
_ALPHA = 0.42
_DASHES = ("--", ":", "-.")
_STEPS = (5, 35, 65, 95, 125, 155)  # of Canziani's legend, in millions of parameters
_WIDE_RANGE = 60  # times the least from which on an axis is logarithmic


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a panel."""

    title: str
    log: bool = False
    from_zero: bool = False  # the axis has no negative ticks, and starts near 0
    whole: bool = False  # ticks are whole numbers, years for instance


@dataclass(frozen=True, slots=True)
class Front:
    """A line through the best networks: their names, and what the key calls it."""

    points: tuple[Point, ...]
    title: str


def wide_range(values: Sequence[float]) -> bool:
    """Whether figures are better compared by ratio: all positive, and far apart."""
    return min(values) > 0 and max(values) > _WIDE_RANGE * min(values)


def area_scale(points: Sequence[Point], sheet: Sheet) -> float:
    """Points squared of a bubble's square for a unit of weight; 0 if there is no weight.

    Args:
        points: all that share the scale.
        sheet: that they are drawn on; the largest bubble goes by the size of its panels.
    """
    largest = max((point.weight for point in points), default=0)
    crowd = sqrt(min(1.0, MOST_NAMED / max(len(points), 1)))
    room = min(_LARGEST * sheet.width, _TALLEST * sheet.height)
    diameter = max(room * max(crowd, _LEAST_CROWDED), 6)
    return diameter**2 / largest if largest else 0.0


def draw(axes: Axes, points: Sequence[Point], scale: float, across: Axis, up: Axis) -> None:
    """Draw bubbles and their centres, the largest first so that small ones stay in sight."""
    look = looks(point.family for point in points)
    main = main_protocol(point.protocol for point in points)
    others = other_protocols(points)
    ordered = sorted(points, key=lambda point: -point.weight)
    if scale:
        axes.scatter(
            [point.x for point in ordered],
            [point.y for point in ordered],
            s=[scale * point.weight for point in ordered],
            facecolors=[
                (look[p.family].colour, _ALPHA) if p.protocol == main else "none" for p in ordered
            ],
            edgecolors=[look[point.family].colour for point in ordered],
            linestyles=[
                "-" if p.protocol == main else _DASHES[others.index(p.protocol) % len(_DASHES)]
                for p in ordered
            ],
            linewidths=0.5,
            zorder=2,
            gid="bubbles",
        )
    for point in ordered:
        axes.plot(
            [point.x], [point.y], **_centre(look[point.family], point, main, small=bool(scale))
        )
    axes.set(xlabel=across.title, ylabel=up.title)
    if across.log:
        axes.set_xscale("log")
    if up.log:
        axes.set_yscale("log")


def _centre(look: Look, point: Point, main: str, small: bool) -> dict:
    filled = point.protocol == main
    style = {
        "marker": "x" if point.disturbed else look.marker,
        "ms": 3.4 if small else 5,
        "mfc": look.colour if filled else "white",
        "mec": look.colour if point.disturbed or not filled else "white",
        "mew": 1.0 if point.disturbed else 0.4 if filled else 0.6,
    }
    return {"ls": "", "zorder": 3, "clip_on": False, "gid": f"centre {point.name}", **style}


def other_protocols(points: Sequence[Point]) -> list[str]:
    """Those that are drawn hollow, in the order of their names."""
    main = main_protocol(point.protocol for point in points)
    return sorted({point.protocol for point in points} - {main})


def key(points: Sequence[Point], scale: float, unit: Callable[[float], str], weight: str) -> list:
    """The blocks of the key: families, true sizes, protocols, disturbed measurements."""
    blocks = [_family_block(points)]
    if scale:
        blocks.append(_size_block(points, scale, unit, weight))
    remarks = [
        Entry(
            (ring(fc="none", ec=GREY, lw=0.7, ls=_DASHES[index % len(_DASHES)]),),
            f"hollow: {shortened(name, LONGEST_FAMILY) or 'protocol not stated'}",
        )
        for index, name in enumerate(other_protocols(points))
    ]
    if any(point.disturbed for point in points):
        remarks.append(Entry((dot(marker="x", ms=4.5, color=GREY),), "disturbed or unsteady"))
    return [*blocks, Block("", tuple(remarks))] if remarks else blocks


def _family_block(points: Sequence[Point]) -> Block:
    look = looks(point.family for point in points)
    counted = Counter(point.family for point in points)
    entries = [
        Entry(
            (
                dot(
                    marker="o",
                    ms=8,
                    mfc=(look[name].colour, _ALPHA),
                    mec=look[name].colour,
                    mew=0.5,
                ),
                dot(marker=look[name].marker, ms=3.4, mfc=look[name].colour, mec="white", mew=0.4),
            ),
            shortened(name, LONGEST_FAMILY),
        )
        for name in sorted(counted)
    ]
    weights = tuple(counted[name] for name in sorted(counted))
    return Block("family", tuple(entries), weights, "smaller families")


def _size_block(
    points: Sequence[Point], scale: float, unit: Callable[[float], str], weight: str
) -> Block:
    """Circles of true size in each other, standing on one spot, each with its weight."""
    steps = size_steps(max(point.weight for point in points))
    across = {step: sqrt(scale * step) for step in steps}
    widest = across[steps[-1]]
    shown: list[float] = []
    for step in reversed(steps):
        if not shown or across[shown[-1]] - across[step] >= 8.5:
            shown.append(step)
    drawn = []
    for step in shown:
        height = across[step] + 1
        style = {"mfc": "none", "mec": GREY, "mew": 0.5, "gid": f"size {step:g}"}
        drawn.append(dot(widest / 2 + 1, height / 2 + 0.5, marker="o", ms=across[step], **style))
        leads = [widest / 2 + 1, widest + 6]
        drawn.append(stroke(leads, [height, height], color=GREY, lw=0.4))
        drawn.append(written(widest + 8, height, unit(step)))
    return Block(weight, (Entry(tuple(drawn), "", widest + 44, widest + 6),))


def size_steps(largest: float) -> list[float]:
    """Canziani's 5, 35, 65, 95, 125, 155, times a power of ten, those that are no larger.

    Args:
        largest: weight of the largest bubble.
    """
    power = 10.0 ** floor(log10(largest / _STEPS[1]) + 1e-9)
    return [step * power for step in _STEPS if step * power <= largest * (1 + 1e-9)]


def front_line(axes: Axes, front: Front) -> Entry:
    """Draw the front; its line of the key."""
    ordered = sorted(front.points, key=lambda point: (point.x, point.y))
    style: dict[str, Any] = {"color": "#333333", "lw": 0.8, "ls": (0, (4, 2))}
    axes.plot([p.x for p in ordered], [p.y for p in ordered], zorder=1.5, gid="front", **style)
    return Entry((stroke([0, 16], [4.5, 4.5], **style),), front.title, 16)


def complete(
    sheet: Sheet,
    drawn: Sequence[tuple[Axes, Sequence[Point]]],
    scale: float,
    caption: str,
    title: str,
    *,
    axes_of: tuple[Axis, Axis],
    named: Sequence[Point] = (),
    who: str = "",
    lines: Sequence[Sequence[Point]] = (),
) -> Figure:
    """Lay the sheet out, set limits that hold every bubble, and write the names.

    Args:
        sheet: with its key.
        drawn: the points of each panel.
        scale: as ``draw`` had it.
        caption, title: of the figure.
        axes_of: the axes that all panels have.
        named: the points to name where there are too many for all.
        who: what the caption calls them.
        lines: points of lines that names had better not cover.
    """

    def settle() -> None:
        for axes, points in drawn:
            _limit(axes, points, scale, *axes_of)

    plans: list[labels.Plan] = []
    note = ""
    for _ in range(3):  # a note takes room from the panels, and who finds room may change with it
        finish(sheet, sentences(caption, note), title, settle)
        plans = [_plan(sheet, axes, points, scale, named, lines) for axes, points in drawn]
        missing = dict.fromkeys(name for plan in plans for name in plan.unplaced)
        found = sentences(
            f"Names are for {who}."
            if who and any(len(p.labels) < len(p.bubbles) for p in plans)
            else "",
            f"Without a name for want of room: {listed(list(missing))}." if missing else "",
        )
        if found == note:
            break
        note = found
    for (axes, _), plan in zip(drawn, plans, strict=True):
        labels.write(axes, plan)
    return sheet.figure


def _plan(
    sheet: Sheet,
    axes: Axes,
    points: Sequence[Point],
    scale: float,
    named: Sequence[Point],
    lines: Sequence[Sequence[Point]],
) -> labels.Plan:
    """Who is named, and where."""
    narrow = sheet.width < 72 * WIDE
    few = len(points) <= (MOST_NAMED / 2 if narrow else MOST_NAMED)
    wanted = [
        labels.Label(point.name, index)
        for index, point in enumerate(points)
        if few or point in named
    ]
    bubbles = [_bubble(axes, point, scale) for point in points]
    return labels.plan(axes, wanted, bubbles, 6.0 if narrow else 6.8, _along(axes, lines))


def _bubble(axes: Axes, point: Point, scale: float) -> labels.Bubble:
    x, y = axes.transData.transform((point.x, point.y))
    inches = 72 / axes.figure.dpi
    return labels.Bubble(
        float(x - axes.bbox.x0) * inches,
        float(y - axes.bbox.y0) * inches,
        max(sqrt(scale * point.weight) / 2, 1.8),
    )


def _along(axes: Axes, lines: Sequence[Sequence[Point]]) -> list[tuple[float, float]]:
    """Spots every few points along lines."""
    spots: list[tuple[float, float]] = []
    inches = 72 / axes.figure.dpi
    for line in lines:
        placed = axes.transData.transform([(point.x, point.y) for point in line])
        for start, end in pairwise((placed - axes.bbox.p0) * inches):
            count = max(int(np.hypot(*(end - start)) / 4), 1)
            spots += [tuple(start + (end - start) * k / count) for k in range(count + 1)]
    return spots


# -- limits and ticks ------------------------------------------------------------------------------


def _limit(axes: Axes, points: Sequence[Point], scale: float, across: Axis, up: Axis) -> None:
    """The tightest limits that hold every bubble and a margin."""
    radii = np.array([sqrt(scale * point.weight) / 2 for point in points])
    inches = 72 / axes.figure.dpi
    wide, tall = axes.bbox.width * inches, axes.bbox.height * inches
    if 2.5 * (radii.max() + 9) > min(wide, tall):
        raise too_small(axes.get_figure(root=True))
    low, high = _holding([p.x for p in points], radii + 6, wide, across)
    axes.set_xlim(low, high)
    low, high = _holding([p.y for p in points], radii + 9, tall, up)
    axes.set_ylim(low, high)
    for axis, wanted in ((axes.xaxis, across), (axes.yaxis, up)):
        length = wide if axis is axes.xaxis else tall
        if wanted.log:
            log_ticks(axis, length / (24 if axis is axes.xaxis else 13))
            continue
        low, high = axis.get_view_interval()
        locator = MaxNLocator(
            max(int(length / 38), 3), integer=wanted.whole, steps=[1, 2, 2.5, 5, 10]
        )
        ticks = locator.tick_values(low, high)
        shown = [t for t in ticks if low <= t <= high and (t >= 0 or not wanted.from_zero)]
        axis.set_ticks(shown)
        axis.set_major_formatter("{x:.0f}" if wanted.whole else plain_number)


def _holding(
    values: Sequence[float], radii: np.ndarray, length: float, axis: Axis
) -> tuple[float, float]:
    """Limits between which each value has so many points to both sides."""
    at = np.log10(values) if axis.log else np.asarray(values, dtype=float)
    low, high = at.min(), at.max()
    if axis.from_zero and not axis.log:
        low = min(low, 0.0)
    if low == high:
        around = 1.5 if axis.whole else (abs(low) or 1) * 0.1
        low, high = low - around, high + around
    floor, least_span = low, high - low
    for _ in range(60):
        per_point = max(high - low, least_span) / length
        low = min(floor, (at - radii * per_point).min())
        high = max((at + radii * per_point).max(), low + least_span)
    return (10**low, 10**high) if axis.log else (low, high)


def log_ticks(axis: MplAxis, room: float) -> None:
    """1, 2, 5, 10, or fewer of them, where there is room for so many labels."""
    low, high = axis.get_view_interval()
    decades = log10(high / low)
    subs = next(
        (subs for subs in ((1.0, 2.0, 5.0), (1.0, 3.0)) if len(subs) * decades <= room), (1.0,)
    )
    axis.set_major_locator(LogLocator(subs=subs, numticks=max(int(room), 2)))
    axis.set_major_formatter(plain_number)
    axis.set_minor_locator(NullLocator())


def plain_number(value: float, _position: float | None = None) -> str:
    """0.05, 2, 500, 20K, 3.5G; powers of ten only below a thousandth."""
    if value and abs(value) < 1e-3:
        return LogFormatterSciNotation()(value)
    for unit, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(value) >= (10 if unit == "K" else 1) * scale:
            return f"{value / scale:g}{unit}"
    return f"{value:g}"
