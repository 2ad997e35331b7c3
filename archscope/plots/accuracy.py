"""Accuracy against costs: Figures 1, 2 and 10 of Canziani et al., arXiv:1605.07678."""

from __future__ import annotations

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
from archscope.plots.sheet import begin
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
        sheet.key.append(bubbles.line_block(bubbles.front_line(axes, best)))
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
    """Straight lines through the origin, in 1, 2, 5 steps of % per giga-operation."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    start = max(left, 1e-9) if across.log else max(left, 0.0)
    xs = np.geomspace(start, right, 200) if across.log else np.linspace(start, right, 200)
    exponents = range(
        int(np.floor(np.log10(low / right))), int(np.ceil(np.log10(high / xs[1]))) + 1
    )
    for slope in (m * 10.0**e for e in exponents for m in (1, 2, 5)):
        inside = (slope * xs >= low) & (slope * xs <= high)
        if inside.sum() < 2:
            continue
        axes.plot(
            xs[inside], slope * xs[inside], color=GREY, lw=0.4, ls=":", zorder=1, gid="density"
        )
        _line_label(axes, xs[inside][-1], slope * xs[inside][-1], f"{slope:g} %/G")


def _line_label(axes: Axes, x: float, y: float, text: str) -> None:
    """At the top or right edge, outside, where no bubble and no name can be."""
    at_top = y > np.mean(axes.get_ylim()) and x < axes.get_xlim()[1] * 0.98
    axes.annotate(
        text,
        (x, y),
        xytext=(0, 2) if at_top else (2, 0),
        textcoords="offset points",
        ha="center" if at_top else "left",
        va="bottom" if at_top else "center",
        fontsize=5.5,
        color=GREY,
        annotation_clip=False,
    )
