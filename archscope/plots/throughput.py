"""Accuracy against speed, and the bound on both: Figure 9 of Canziani et al., arXiv:1605.07678."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archscope.arguments import checked, inches
from archscope.plots import bubbles
from archscope.plots.bubbles import Axis
from archscope.plots.captions import CONVENTIONS, caption, conditions, disturbances, measured
from archscope.plots.captions import accuracy as accuracy_of
from archscope.plots.key import Block
from archscope.plots.measurements import common_batches, measured_only
from archscope.plots.operations import TOP1, line_entry
from archscope.plots.points import Point, left_out, main_protocol, once, per_image, points
from archscope.plots.sheet import begin, outer_titles
from archscope.plots.style import PALE, styled
from archscope.plots.tables import axes, compared

if TYPE_CHECKING:
    import pandas as pd

_BOUND: dict[str, Any] = {"color": "#333333", "lw": 0.9, "ls": "-"}


@checked(frame=compared("batch", "top1", "flops"), ax=axes, size=inches)
def accuracy_vs_throughput(
    frame: pd.DataFrame,
    ax: Axes | Sequence[Axes] | None = None,
    *,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Top-1 accuracy against images per second, area for operations: Canziani's Fig. 9.

    The upper bound is the lowest straight line that no network is above; with accuracy linear in
    images per second, it is hyperbolic in time. Beyond it the panel is shaded: no network of the
    figure gets there.

    Args:
        frame: with ``throughput_per_s``, a row per network and batch size.
        ax: one axes for each panel; there are two if networks share a batch size beside the least.
        size: of its own figure, inches.

    Raises:
        InvalidInput: nothing was measured, or no batch size is common to all networks.
    """
    data = measured_only(frame, "throughput_per_s", "accuracy-vs-throughput", "latency")
    data = per_image(data, ("flops",))
    points(data, "throughput_per_s", "top1", "flops")  # refuses a frame that lacks one of all
    batches = common_batches(data[data["top1"].notna()])
    data = data[data["batch"].isin(batches)]
    panels = [
        once(
            points(data[data["batch"] == batch], "throughput_per_s", "top1", "flops"),
            f"batch {batch}",
        )
        for batch in batches
    ]
    every = [point for panel in panels for point in panel]
    main = main_protocol(point.protocol for point in every)
    wide = bubbles.wide_range([point.x for point in every])
    across, up = Axis("images per second", wide, from_zero=True), Axis(TOP1)
    with styled(fine=True):
        sheet = begin(ax, size, len(panels))
        scale = bubbles.area_scale(every, sheet)
        for axes, batch, found in zip(sheet.panels, batches, panels, strict=True):
            bubbles.draw(axes, found, scale, across, up)
            axes.set_title(f"batch {batch}")
        outer_titles(sheet)
        sheet.key += bubbles.key(every, scale, giga, "operations")
        if any(upper_bound(_of(found, main)) for found in panels):
            sheet.key.append(Block("", (line_entry(_BOUND, "upper bound"),)))
        figure = bubbles.complete(
            sheet,
            list(zip(sheet.panels, panels, strict=True)),
            scale,
            caption(
                measured(data),
                accuracy_of(data, main),
                conditions(data.drop(columns="batch")),
                CONVENTIONS["flops"],
                disturbances(data),
                left_out(frame, every, "for want of a measurement or an accuracy"),
            ),
            "Accuracy versus throughput",
            axes_of=(across, up),
        )
        for axes, found in zip(sheet.panels, panels, strict=True):
            _shade(axes, upper_bound(_of(found, main)), across)
    return figure


def giga(operations: float) -> str:
    """3.5 G."""
    return f"{operations / 1e9:g} G"


def upper_bound(found: Sequence[Point]) -> tuple[float, float] | None:
    """The line that no point is above and that is, on the average over points, the lowest.

    It is the edge of the upper convex hull above the mean of x.

    Args:
        found: points of one protocol.

    Returns:
        Its height at 0 and its slope; None if there are fewer than two points side by side.
    """
    hull: list[tuple[float, float]] = []
    for x, y in sorted({(point.x, point.y) for point in found}):
        while hull and hull[-1][0] == x:
            hull.pop()
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    if len(hull) < 2:
        return None
    mean = sum(point.x for point in found) / len(found)
    right = next(k for k in range(1, len(hull)) if hull[k][0] >= mean or k == len(hull) - 1)
    (x0, y0), (x1, y1) = hull[right - 1], hull[right]
    slope = (y1 - y0) / (x1 - x0)
    return y0 - slope * x0, slope


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) >= (b[1] - a[1]) * (c[0] - a[0])


def _of(found: Sequence[Point], protocol: str) -> list[Point]:
    return [point for point in found if point.protocol == protocol]


def _shade(axes: Axes, bound: tuple[float, float] | None, across: Axis) -> None:
    if bound is None:
        return
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    # Many points, since the shade is clipped to the panel point by point.
    xs = (np.geomspace if across.log else np.linspace)(left, right, 400)
    line = bound[0] + bound[1] * xs
    style: dict[str, Any] = {"color": PALE, "alpha": 0.5, "lw": 0, "zorder": 0.5, "gid": "beyond"}
    axes.fill_between(xs, np.clip(line, low, high), high, **style)
    axes.plot(xs, line, zorder=1.5, gid="bound", **_BOUND)
    axes.set(xlim=(left, right), ylim=(low, high))
