"""Against operations: Figures 2, 7 and 8 of Canziani, Paszke and Culurciello, arXiv:1605.07678."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archscope.arguments import checked, flag, inches, text
from archscope.errors import InvalidInput
from archscope.plots import bubbles
from archscope.plots.bubbles import Axis, Front
from archscope.plots.captions import CONVENTIONS, caption, conditions, disturbances, measured
from archscope.plots.captions import accuracy as accuracy_of
from archscope.plots.key import Block, Entry, stroke
from archscope.plots.measurements import common_batches, measured_only
from archscope.plots.points import (
    Point,
    drawn_rows,
    left_out,
    main_protocol,
    once,
    per_image,
    points,
)
from archscope.plots.sheet import begin, outer_titles
from archscope.plots.style import GREY, styled
from archscope.plots.tables import axes, compared

if TYPE_CHECKING:
    import pandas as pd

OPERATIONS = {
    "flops": "operations for one forward pass (GFLOPs)",
    "macs": "multiply-accumulates for one forward pass (GMACs)",
}
_LEAST_GAP = 18.0  # points between lines of equal density, at their tops
TOP1 = "top-1 accuracy (%)"


@checked(
    frame=compared("top1", "params"),
    ax=axes,
    ops=text,
    density_lines=flag,
    log=flag,
    size=inches,
)
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
    data = _giga(per_image(frame, (_known(ops),)), ops)
    found = points(data, ops, "top1", "params")
    main = main_protocol(point.protocol for point in found)
    across = Axis(OPERATIONS[ops], logarithmic(log, found), from_zero=True)
    up = Axis(TOP1)
    best = Front(front(found, main), f"Pareto front{f', {main}' if main else ''}")
    with styled(fine=True):
        sheet = begin(ax, size)
        (axes,) = sheet.panels
        scale = bubbles.area_scale(found, sheet)
        bubbles.draw(axes, found, scale, across, up)
        sheet.key += bubbles.key(found, scale, millions, "parameters")
        lines = [bubbles.front_line(axes, best)] if len(best.points) > 1 else []
        if density_lines:
            axes.set_title(" ", fontsize=6)  # room for the lines' names
            style = {"color": GREY, "lw": 0.5, "ls": ":"}
            lines.append(line_entry(style, "equal % per G-operation"))
        sheet.key += [Block("", tuple(lines))] if lines else []
        figure = bubbles.complete(
            sheet,
            [(axes, found)],
            scale,
            caption(
                accuracy_of(drawn_rows(frame, found), main),
                conditions(drawn_rows(frame, found)),
                CONVENTIONS[ops],
                left_out(frame, found, "for want of a published accuracy"),
            ),
            "Accuracy versus operations",
            axes_of=(across, up),
            named=best.points,
            who="the networks of the front",
            lines=[best.points],
        )
        if density_lines:
            _density_lines(axes, across)
    return figure


@checked(frame=compared("batch", "params"), ax=axes, ops=text, size=inches)
def ops_vs_time(
    frame: pd.DataFrame,
    ax: Axes | Sequence[Axes] | None = None,
    *,
    ops: str = "flops",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Operations against measured time per image, area for parameters: Canziani's Fig. 7.

    Args:
        frame: with ``latency_ms_p50``, a row per network and batch size.
        ax: one axes for each panel; there are two if networks share a batch size beside the least.
        ops: "flops" or "macs".
        size: of its own figure, inches.

    Returns:
        A panel for the least common batch size and one for the largest, each with the line
        through the origin that fits best.

    Raises:
        InvalidInput: nothing was measured, or no batch size is common to all networks.
    """
    data = measured_only(frame, "latency_ms_p50", "ops-vs-time", "latency")
    data = per_image(data, ("latency_ms_p50",))
    title = "forward time per image (ms)"
    return _against(data, ax, ops, "latency_ms_p50", title, size, fitted=True)


@checked(frame=compared("batch", "params"), ax=axes, ops=text, size=inches)
def ops_vs_power(
    frame: pd.DataFrame,
    ax: Axes | Sequence[Axes] | None = None,
    *,
    ops: str = "flops",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Operations against measured power, area for parameters: Canziani's Fig. 8.

    Args:
        frame: with ``power_w`` and, for net power as in the paper, ``idle_power_w``; a row per
            network and batch size.
        ax, ops, size: as for ``ops_vs_time``.

    Raises:
        InvalidInput: nothing was measured, or no batch size is common to all networks.
    """
    data, title = net_power(measured_only(frame, "power_w", "ops-vs-power", "energy"))
    return _against(data, ax, ops, "power_w", title, size, fitted=False)


def net_power(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Power without what the idle device takes, if that is known of every row; and its name."""
    idle = frame.get("idle_power_w")
    if idle is None or idle.isna().any():
        return frame, "power, idle included (W)"
    return frame.assign(power_w=frame["power_w"] - idle), "net power (W)"


def _against(
    data: pd.DataFrame,
    ax: Axes | Sequence[Axes] | None,
    ops: str,
    column: str,
    title: str,
    size: tuple[float, float] | None,
    *,
    fitted: bool,
) -> Figure:
    """Operations over something measured, in panels by batch size that share their scale."""
    data = _giga(per_image(data, (_known(ops),)), ops)
    batches = common_batches(data)
    data = data[data["batch"].isin(batches)]
    panels = [
        once(points(data[data["batch"] == batch], column, ops, "params"), f"batch {batch}")
        for batch in batches
    ]
    every = [point for panel in panels for point in panel]
    wide, tall = (bubbles.wide_range([at(p) for p in every]) for at in (_across, _up))
    if fitted:  # the line is straight on two axes of one kind
        wide = tall = (wide or tall) and min(min(p.x, p.y) for p in every) > 0
    across = Axis(title, wide, from_zero=fitted)
    up = Axis(OPERATIONS[ops], tall, from_zero=True)
    with styled(fine=True):
        sheet = begin(ax, size, len(panels))
        scale = bubbles.area_scale(every, sheet)
        for axes, batch, found in zip(sheet.panels, batches, panels, strict=True):
            bubbles.draw(axes, found, scale, across, up)
            axes.set_title(f"batch {batch}" + (_fit(axes, found) if fitted else ""))
        outer_titles(sheet)
        sheet.key += bubbles.key(every, scale, millions, "parameters")
        if fitted:
            sheet.key.append(Block("", (line_entry(_FIT, "least squares through 0"),)))
        return bubbles.complete(
            sheet,
            list(zip(sheet.panels, panels, strict=True)),
            scale,
            caption(
                measured(data),
                conditions(drawn_rows(data, every).drop(columns="batch")),
                CONVENTIONS[ops],
                disturbances(data),
                left_out(data, every, "for want of a measurement"),
            ),
            "Operations versus " + title.partition(" (")[0],
            axes_of=(across, up),
        )


_FIT: dict[str, Any] = {"color": "#333333", "lw": 0.8, "ls": (0, (4, 2))}


def _fit(axes: Axes, found: Sequence[Point]) -> str:
    """Draw operations = rate x time by least squares; the rate for the panel's title."""
    xs, ys = np.array([p.x for p in found]), np.array([p.y for p in found])
    rate = float(xs @ ys / (xs @ xs))
    if len(found) < 2:
        return ""
    ends = np.geomspace(xs.min(), xs.max(), 60)
    axes.plot(ends, rate * ends, zorder=1.5, gid="fit", **_FIT)
    return f", {rate:.3g} G/ms"


def line_entry(style: dict[str, Any], text: str) -> Entry:
    return Entry((stroke([0, 16], [4.5, 4.5], **style),), text, 16)


def _known(ops: str) -> str:
    if ops not in OPERATIONS:
        raise InvalidInput(f"operations are {' or '.join(OPERATIONS)}, not '{ops}'")
    return ops


def millions(params: float) -> str:
    """35 M; 0.5 M; from a thousand millions on 65 G."""
    for unit, scale in (("T", 1e12), ("G", 1e9)):
        if params >= scale:
            return f"{params / scale:g} {unit}"
    return f"{params / 1e6:g} M"


def _across(point: Point) -> float:
    return point.x


def _up(point: Point) -> float:
    return point.y


def _giga(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].astype("float64") / 1e9})


def logarithmic(log: bool | None, found: list[Point]) -> bool:
    """Whether the axis is; by its range if nobody says.

    Raises:
        InvalidInput: it is to be, and a network has none.
    """
    if log and min(point.x for point in found) <= 0:
        none = next(point.name for point in found if point.x <= 0)
        raise InvalidInput(f"{none} has no operations, and no place on a logarithmic axis")
    return bubbles.wide_range([point.x for point in found]) if log is None else log


def front(found: list[Point], protocol: str) -> tuple[Point, ...]:
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
    if min(high, right) <= 0:
        return
    first = floor(log10(max(low, high / 1e4) / right))
    last = ceil(log10(high / max(left, right / 1e4)))
    nearest = np.inf  # in pixels, of the line before, to the right
    for slope in (m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)):
        start, end = max(low / slope, left), min(high / slope, right)
        at = float(axes.transData.transform((end, high))[0])
        if end <= start or nearest - at < _LEAST_GAP * axes.figure.dpi / 72:
            continue
        nearest = at if slope * end >= 0.999 * high else nearest
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
