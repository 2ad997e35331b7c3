"""Accuracy against costs: Figures 1, 2 and 10 of Canziani et al., arXiv:1605.07678."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archscope.errors import InvalidInput
from archscope.plots import bubbles
from archscope.plots.bubbles import Axis, Front
from archscope.plots.captions import CONVENTIONS, caption, conditions
from archscope.plots.captions import accuracy as accuracy_of
from archscope.plots.points import Point, left_out, main_protocol, per_image, points
from archscope.plots.sheet import Block, Entry, begin, stroke
from archscope.plots.style import GREY, styled

if TYPE_CHECKING:
    import pandas as pd

OPERATIONS = {
    "flops": "operations for one forward pass (GFLOPs)",
    "macs": "multiply-accumulates for one forward pass (GMACs)",
}
TOP1 = "top-1 accuracy (%)"


def accuracy_vs_ops(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    ops: str = "flops",
    density_lines: bool = False,
    log: bool | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Top-1 accuracy against operations, the area of a bubble for parameters: Canziani's Fig. 2.

    Args:
        frame: of ``archscope.compare``.
        ax: axes to draw into; a figure of its own by default.
        ops: "flops", as in the paper, or "macs".
        density_lines: draw lines of equal accuracy per operation.
        log: operations on a logarithmic axis; by default if they are far apart.
        size: of its own figure, inches.

    Raises:
        InvalidInput: no network of the frame has an accuracy.
    """
    if ops not in OPERATIONS:
        raise InvalidInput(f"operations are {' or '.join(OPERATIONS)}, not '{ops}'")
    data = _giga(per_image(frame, (ops,)), ops)
    found = points(data, ops, "top1", "params")
    main = main_protocol(point.protocol for point in found)
    across = Axis(OPERATIONS[ops], _logarithmic(log, found), from_zero=True)
    up = Axis(TOP1)
    best = Front(_front(found, main), f"Pareto front{f', {main}' if main else ''}")
    with styled(fine=True):
        sheet = begin(ax, size)
        (axes,) = sheet.panels
        scale = bubbles.area_scale(found, sheet.width)
        bubbles.draw(axes, found, scale, across, up)
        sheet.key += bubbles.key(found, scale, millions, "parameters")
        lines = [bubbles.front_line(axes, best)]
        if density_lines:
            axes.set_title(" ", fontsize=6)  # room for the lines' names
            style = {"color": GREY, "lw": 0.5, "ls": ":"}
            lines.append(
                Entry((stroke([0, 16], [4.5, 4.5], **style),), "equal % per G-operation", 16)
            )
        sheet.key.append(Block("", tuple(lines)))
        figure = bubbles.complete(
            sheet,
            [(axes, found)],
            scale,
            caption(
                accuracy_of(frame, main),
                conditions(frame),
                CONVENTIONS[ops],
                left_out(frame, found, "for want of a published accuracy"),
            ),
            "Accuracy versus operations",
            axes_of=(across, up),
            named=best.points,
            lines=[best.points],
        )
        if density_lines:
            _density_lines(axes, across)
    return figure


def millions(params: float) -> str:
    """35 M; 0.5 M."""
    return f"{params / 1e6:g} M"


def _giga(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].astype("float64") / 1e9})


def _logarithmic(log: bool | None, found: list[Point]) -> bool:
    return bubbles.wide_range([point.x for point in found]) if log is None else log


def _front(found: list[Point], protocol: str) -> tuple[Point, ...]:
    """The points of the protocol that no other beats: less of x and more of y."""
    import pandas as pd

    from archscope.comparison import pareto

    eligible = [point for point in found if point.protocol == protocol]
    table = pd.DataFrame({"x": [p.x for p in eligible], "y": [p.y for p in eligible]})
    front = pareto(table, "x", "y")
    return tuple(point for point, best in zip(eligible, front, strict=True) if best)


def _density_lines(axes: Axes, across: Axis) -> None:
    """Lines through the origin, in 1, 2, 5 steps of % per giga-operation, named at their tops."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    first = floor(log10(low / right))
    last = ceil(log10(high / max(left, right / 1e4)))
    for slope in (m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)):
        start, end = max(low / slope, left), min(high / slope, right)
        if end <= start:
            continue
        xs = np.geomspace(start, end, 60) if across.log else np.array([start, end])
        axes.plot(xs, slope * xs, color=GREY, lw=0.5, ls=":", zorder=1, gid="density")
        if slope * end < 0.999 * high:
            continue  # it leaves at the right
        axes.annotate(
            f"{slope:g}",
            (end, high),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=5.5,
            color=GREY,
            annotation_clip=False,
        )
