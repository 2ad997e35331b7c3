"""One cost against another: memory over parameters, accuracy over depth, networks over years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archscope.arguments import checked, inches, text
from archscope.errors import InvalidInput
from archscope.plots import bubbles
from archscope.plots.bubbles import Axis
from archscope.plots.captions import accuracy as accuracy_of
from archscope.plots.captions import caption, conditions, measured
from archscope.plots.key import Block
from archscope.plots.operations import TOP1, line_entry, millions
from archscope.plots.points import Point, drawn_rows, left_out, main_protocol, points
from archscope.plots.sheet import begin
from archscope.plots.style import styled
from archscope.plots.tables import axes, column_of_numbers, compared

if TYPE_CHECKING:
    import pandas as pd

DEPTHS = {
    "effective_depth": "effective depth (weight layers, by gradient)",
    "mean_path": "mean path (weight layers)",
    "depth": "longest path (weight layers)",
}
_MIB = 2**20
_MOST_FAR = 16
_FIT: dict[str, Any] = {"color": "#333333", "lw": 0.9, "ls": (0, (4, 2))}


@checked(frame=compared("weight_bytes", "peak_bytes"), ax=axes, size=inches)
def memory_vs_params(
    frame: pd.DataFrame, ax: Axes | None = None, *, size: tuple[float, float] | None = None
) -> Figure:
    """Peak memory against the memory of the parameters, with a linear fit: Canziani's Fig. 6.

    Args:
        frame: of ``archscope.compare``, one batch size.
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches.

    Returns:
        A dot per network and the least-squares line, whose equation is in the key; on logarithmic
        axes, where it is a curve, if the networks are far apart.

    Raises:
        InvalidInput: no network of the frame has figures.
    """
    data = frame.assign(
        weights_mib=frame["weight_bytes"].astype("float64") / _MIB,
        peak_mib=frame["peak_bytes"].astype("float64") / _MIB,
    )
    found = points(data, "weights_mib", "peak_mib")
    found = [replace(p, protocol="", disturbed="") for p in found]  # no accuracy, no protocol
    line = linear_fit(found)
    lines = [] if line is None else [line_entry(_FIT, equation(*line))]
    wide = bubbles.wide_range([point.x for point in found])
    with styled(fine=True):
        sheet = begin(ax, size)
        (axes,) = sheet.panels
        if line is not None:
            _draw_line(axes, found, line, ratio=wide)
        return _drawn(
            sheet,
            found,
            Axis("parameters (MiB)", wide, from_zero=True),
            Axis("peak memory of inference (MiB)", wide, from_zero=True),
            "",
            lines,
            caption(
                "Memory is derived: the most bytes alive at once, weights included.",
                conditions(drawn_rows(frame, found)),
                left_out(frame, found, "for want of figures"),
            ),
            "Memory versus parameters",
            _neediest(found) if wide else _farthest(found, line),
            "the most memory per parameter" if wide else "networks farthest from the line",
        )


def _draw_line(
    axes: Axes, found: Sequence[Point], line: tuple[float, float, float], *, ratio: bool
) -> None:
    """The fit, from 0 or, where there is none, from the first network on."""
    end = max(point.x for point in found)
    xs = (
        np.geomspace(min(point.x for point in found), end, 200)
        if ratio
        else np.linspace(0, end, 50)
    )
    ys = line[0] + line[1] * xs
    shown = ys > 0 if ratio else np.full(len(xs), True)
    axes.plot(xs[shown], ys[shown], zorder=1.5, gid="fit", **_FIT)


def linear_fit(found: Sequence[Point]) -> tuple[float, float, float] | None:
    """Least squares.

    Returns:
        Height at 0, slope, and the coefficient of determination R²; None unless there are three
        points that are not above each other.
    """
    xs, ys = np.array([point.x for point in found]), np.array([point.y for point in found])
    if len(xs) < 3 or np.ptp(xs) == 0:
        return None
    slope = float(((xs - xs.mean()) * (ys - ys.mean())).sum() / ((xs - xs.mean()) ** 2).sum())
    height = float(ys.mean() - slope * xs.mean())
    spread = float(((ys - ys.mean()) ** 2).sum())
    missed = float(((ys - height - slope * xs) ** 2).sum())
    return height, slope, 1 - missed / spread if spread else 1.0


def equation(height: float, slope: float, share: float) -> str:
    """y = 35.1 + 1.30 x, R² = 0.97."""
    sign = "+" if slope >= 0 else "−"
    return f"y = {height:.1f} {sign} {abs(slope):.2f} x, R² = {share:.2f}"


@checked(frame=compared("top1", "params"), ax=axes, depth=text, size=inches)
def accuracy_vs_depth(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    depth: str | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Top-1 accuracy against depth, area for parameters.

    Args:
        frame: of ``archscope.compare``.
        ax: axes to draw into; a figure of its own by default.
        depth: "effective_depth", "mean_path" or "depth" (the longest path); by default effective
            depth if every network with an accuracy has it, else the mean path. The axis says which.
        size: of its own figure, inches.

    Raises:
        InvalidInput: another depth, or no network of the frame has both.
    """
    column = _deepest_known(frame) if depth is None else depth
    if column not in DEPTHS:
        raise InvalidInput(f"depth is one of {', '.join(DEPTHS)}, not '{column}'")
    found = points(frame, column, "top1", "params")
    main = main_protocol(point.protocol for point in found)
    wide = bubbles.wide_range([point.x for point in found])
    with styled(fine=True):
        return _drawn(
            begin(ax, size),
            found,
            Axis(DEPTHS[column], wide, from_zero=True),
            Axis(TOP1),
            "parameters",
            [],
            caption(
                accuracy_of(drawn_rows(frame, found), main),
                conditions(drawn_rows(frame, found)),
                _how_deep(frame) if column == "effective_depth" else "",
                left_out(frame, found, "for want of an accuracy or a depth"),
            ),
            "Accuracy versus depth",
            _rising(found),
            "networks that no shallower one beats",
        )


def _how_deep(frame: pd.DataFrame) -> str:
    told = "Effective depth is of random weights."
    return f"{told} {measured(frame)}" if "date" in frame else told


def _deepest_known(frame: pd.DataFrame) -> str:
    rated = frame[frame["top1"].notna()]
    known = "effective_depth" in frame and len(rated) and rated["effective_depth"].notna().all()
    return "effective_depth" if known else "mean_path"


_OVER_YEARS = {
    "top1": TOP1,
    "macs": "MACs",
    "flops": "FLOPs",
    "params": "parameters",
    "depth": DEPTHS["depth"],
    "peak_bytes": "peak memory (MiB)",
}


@checked(frame=compared("year", "params"), ax=axes, cost=text, size=inches)
def timeline(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cost: str | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Networks by the year of their paper, area for parameters.

    Args:
        frame: of ``archscope.compare``, with ``year``.
        ax: axes to draw into; a figure of its own by default.
        cost: what is upwards: "top1", "macs", "flops", "params", "depth" or "peak_bytes"; top-1
            accuracy by default if half of the networks have one, else MACs.
        size: of its own figure, inches.

    Raises:
        InvalidInput: another cost, or no network of the frame has a year and the cost.
    """
    rated = frame["top1"].notna().mean() >= 0.5 if "top1" in frame and len(frame) else False
    column = cost or ("top1" if rated else "macs")
    if column not in _OVER_YEARS:
        raise InvalidInput(f"years go with one of {', '.join(_OVER_YEARS)}, not '{column}'")
    column_of_numbers("frame", frame, column)
    data = frame
    if column == "peak_bytes":
        data = frame.assign(peak_bytes=frame["peak_bytes"].astype("float64") / _MIB)
    found = points(data, "year", column, "params")
    if column != "top1":
        found = [replace(p, protocol="", disturbed="") for p in found]
    main = main_protocol(point.protocol for point in found)
    wide = column != "top1" and bubbles.wide_range([point.y for point in found])
    with styled(fine=True):
        return _drawn(
            begin(ax, size),
            found,
            Axis("year of the paper", whole=True),
            Axis(_OVER_YEARS[column], wide),
            "parameters",
            [],
            caption(
                accuracy_of(drawn_rows(frame, found), main) if column == "top1" else "",
                conditions(drawn_rows(frame, found)),
                left_out(frame, found, "for want of a year or a figure"),
            ),
            "Architectures by year",
            _best_of_each(found),
            "the highest of each year",
        )


def _drawn(
    sheet: Any,
    found: Sequence[Point],
    across: Axis,
    up: Axis,
    weight: str,
    lines: list,
    said: str,
    page: str,
    named: Sequence[Point],
    who: str,
) -> Figure:
    """One panel of bubbles, or of dots where nothing has a weight."""
    (axes,) = sheet.panels
    scale = bubbles.area_scale(found, sheet) if weight else 0.0
    bubbles.draw(axes, found, scale, across, up)
    sheet.key += bubbles.key(found, scale, millions, weight)
    if lines:
        sheet.key.append(Block("", tuple(lines)))
    return bubbles.complete(
        sheet, [(axes, found)], scale, said, page, axes_of=(across, up), named=named, who=who
    )


def _rising(found: Sequence[Point]) -> list[Point]:
    """Those that are higher than all to their left."""
    staircase: list[Point] = []
    for point in sorted(found, key=lambda p: (p.x, -p.y)):
        if not staircase or point.y > staircase[-1].y:
            staircase.append(point)
    return staircase


def _farthest(found: Sequence[Point], line: tuple[float, float, float] | None) -> list[Point]:
    """Those that a line misses most."""
    height, slope, _ = line or (0.0, 0.0, 0.0)
    return sorted(found, key=lambda p: -abs(p.y - height - slope * p.x))[:_MOST_FAR]


def _neediest(found: Sequence[Point]) -> list[Point]:
    """Those with the most memory beside that of their parameters, by ratio."""
    return sorted(found, key=lambda p: -p.y / p.x)[:_MOST_FAR]


def _best_of_each(found: Sequence[Point]) -> list[Point]:
    """The highest at each x."""
    best: dict[float, Point] = {}
    for point in found:
        if point.x not in best or point.y > best[point.x].y:
            best[point.x] = point
    return list(best.values())
