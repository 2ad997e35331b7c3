"""A line per network over batch, resolution or length: Figures 3, 4, 5 of Canziani et al."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from archscope.arguments import checked, inches
from archscope.arguments import text as word
from archscope.errors import InvalidInput
from archscope.plots.bubbles import log_ticks, plain_number, wide_range
from archscope.plots.captions import CONVENTIONS, caption, conditions, disturbances, measured
from archscope.plots.families import MARKERS, hue
from archscope.plots.key import Block, Entry, dot, stroke
from archscope.plots.measurements import measured_only
from archscope.plots.operations import net_power
from archscope.plots.points import family, listed, names, number, per_image, text
from archscope.plots.sheet import begin, finish
from archscope.plots.style import LINES, styled
from archscope.plots.tables import axes, column_of_numbers, compared

if TYPE_CHECKING:
    import pandas as pd

_MIB = 2**20
COSTS = {
    "macs": ("MACs", 1.0),
    "flops": ("FLOPs", 1.0),
    "activations": ("activations (elements)", 1.0),
    "peak_bytes": ("peak memory (MiB)", _MIB),
    "latency_ms_p50": ("latency (ms)", 1.0),
    "params": ("parameters", 1.0),
}
VARIABLES = {
    "batch": "batch size",
    "size": "height and width of the image (pixels)",
    "seq_len": "length of the sequence",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """One network: what it has at each x, and where something disturbed the measurement."""

    name: str
    family: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    disturbed: tuple[bool, ...]


@checked(frame=compared("batch"), ax=axes, size=inches)
def time_vs_batch(
    frame: pd.DataFrame, ax: Axes | None = None, *, size: tuple[float, float] | None = None
) -> Figure:
    """Measured forward time per image against batch size, both logarithmic: Canziani's Fig. 3.

    Args:
        frame: a row per network and batch size, with ``latency_ms_p50`` of the whole batch.
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches.

    Returns:
        A line per network; it has no point where memory did not suffice, and the caption says so.

    Raises:
        InvalidInput: nothing was measured.
    """
    data = measured_only(frame, "latency_ms_p50", "time-vs-batch", "latency")
    data = per_image(data, ("latency_ms_p50",))
    return _measured_over_batch(
        frame, data, "latency_ms_p50", "forward time per image (ms)", ax, size, log=True
    )


@checked(frame=compared("batch"), ax=axes, size=inches)
def power_vs_batch(
    frame: pd.DataFrame, ax: Axes | None = None, *, size: tuple[float, float] | None = None
) -> Figure:
    """Measured power against batch size: Canziani's Fig. 4.

    Args:
        frame: a row per network and batch size, with ``power_w`` and, for net power as in the
            paper, ``idle_power_w``.
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches.

    Raises:
        InvalidInput: nothing was measured.
    """
    data, title = net_power(measured_only(frame, "power_w", "power-vs-batch", "energy"))
    return _measured_over_batch(frame, data, "power_w", title, ax, size, log=False)


def _measured_over_batch(
    frame: pd.DataFrame,
    data: pd.DataFrame,
    column: str,
    title: str,
    ax: Axes | None,
    size: tuple[float, float] | None,
    *,
    log: bool,
) -> Figure:
    said = caption(
        measured(data),
        conditions(data.drop(columns="batch")),
        _out_of_memory(frame),
        disturbances(data),
    )
    page = f"{title.partition(' (')[0]} versus batch size"
    return _curves(curves(data, "batch", column), "batch", title, said, page, ax, size, log=log)


def _out_of_memory(frame: pd.DataFrame) -> str:
    if "status" not in frame:
        return ""
    lacking = frame["status"] == "out of memory"
    where = [
        f"{name} at {batch}"
        for name, batch, lacks in zip(names(frame), frame["batch"], lacking, strict=True)
        if lacks
    ]
    return f"No point where memory did not suffice: {listed(where)}." if where else ""


@checked(frame=compared("batch", "peak_bytes"), ax=axes, size=inches)
def memory_vs_batch(
    frame: pd.DataFrame, ax: Axes | None = None, *, size: tuple[float, float] | None = None
) -> Figure:
    """Peak memory against batch size, both logarithmic: Canziani's Fig. 5.

    The knee is where activations, which grow with the batch, outgrow the weights.

    Args:
        frame: a row per network and batch size, with ``peak_bytes``.
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches.

    Raises:
        InvalidInput: no network of the frame has figures.
    """
    data = frame.assign(peak_mib=frame["peak_bytes"].astype("float64") / _MIB, disturbed="")
    return _curves(
        curves(data, "batch", "peak_mib"),
        "batch",
        "peak memory of inference (MiB)",
        caption(
            "Memory is derived: the most bytes alive at once, weights included.",
            conditions(frame.drop_duplicates("model").drop(columns="batch")),
        ),
        "Memory versus batch size",
        ax,
        size,
        log=bool((data["peak_mib"].dropna() > 0).all()),
    )


@checked(frame=compared(), ax=axes, over=word, cost=word, size=inches)
def scaling(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    over: str = "size",
    cost: str = "macs",
    size: tuple[float, float] | None = None,
) -> Figure:
    """A cost against resolution, batch or length.

    Args:
        frame: a row per network and setting, with the column ``over`` and the cost.
        ax: axes to draw into; a figure of its own by default.
        over: "size" (height and width of the image), "batch" or "seq_len".
        cost: "macs", "flops", "activations", "peak_bytes", "params" or "latency_ms_p50", of the
            whole batch.
        size: of its own figure, inches.

    Raises:
        InvalidInput: another cost, or no network of the frame has figures.
    """
    if cost not in COSTS or over not in VARIABLES:
        known = COSTS if cost not in COSTS else VARIABLES
        raise InvalidInput(f"scaling is of one of {', '.join(known)}, not '{cost}'")
    for column in (over, cost):
        column_of_numbers("frame", frame, column)
    title, unit = COSTS[cost]
    data = frame.assign(cost=frame[cost].astype("float64") / unit)
    lines = curves(data, over, "cost")
    ys = [y for line in lines for y in line.ys]
    fixed = data.drop(columns=over)
    if over in ("size", "seq_len") and "input_shape" in fixed:
        fixed = fixed.drop(columns="input_shape")
    return _curves(
        lines,
        over,
        title,
        caption(conditions(fixed), CONVENTIONS.get(cost, "")),
        f"{title.partition(' (')[0]} over {VARIABLES[over]}",
        ax,
        size,
        log=wide_range(ys) or (over == "batch" and min(ys) > 0),
    )


def curves(frame: pd.DataFrame, x: str, y: str) -> list[Curve]:
    """A curve per network, in the frame's order; rows without figures make no point.

    Raises:
        InvalidInput: no row has both, or rows of one network contradict each other.
    """
    found: dict[str, dict[float, tuple[float, float, bool]]] = {}
    looks: dict[str, tuple[str, str]] = {}
    for row, name in zip(frame.to_dict("records"), names(frame), strict=True):
        at, value, model = number(row[x]), number(row[y]), str(row["model"])
        if at is not None and value is not None:
            looks[model] = (name, family(row))
            spot = (at, value, bool(text(row.get("disturbed"))))
            if found.setdefault(model, {}).setdefault(at, spot) != spot:
                raise InvalidInput(
                    f"{name} has several rows with {x} {at:g}; keep those of one device and setting"
                )
    if not found:
        raise InvalidInput(f"no row of the frame has {x} and {y}")
    return [
        Curve(*looks[model], *map(tuple, zip(*sorted(spots.values()), strict=True)))
        for model, spots in found.items()
    ]


def _curves(
    lines: Sequence[Curve],
    variable: str,
    title: str,
    said: str,
    page: str,
    ax: Axes | None,
    size: tuple[float, float] | None,
    *,
    log: bool,
) -> Figure:
    styles = _styles(lines)
    with styled(fine=True):
        sheet = begin(ax, size)
        (axes,) = sheet.panels
        for line, style in zip(lines, styles, strict=True):
            axes.plot(line.xs, line.ys, gid=f"curve {line.name}", **style)
            at = [k for k, was in enumerate(line.disturbed) if was]
            xs, ys = [line.xs[k] for k in at], [line.ys[k] for k in at]
            axes.plot(xs, ys, ls="", marker="x", ms=6, color="#000000", zorder=4)
        axes.set(xlabel=VARIABLES[variable], ylabel=title)
        _scales(axes, lines, log, doubling=variable == "batch")
        sheet.key += _key(lines, styles)
        return finish(sheet, said, page)


def _styles(lines: Sequence[Curve]) -> list[dict[str, Any]]:
    """The hue of the family; marker and dashes tell its members apart."""
    members: dict[str, count] = {}
    found = []
    for line in lines:
        place = next(members.setdefault(hue(line.family), count()))
        style = {
            "color": hue(line.family),
            "marker": MARKERS[place % len(MARKERS)],
            "ls": LINES[place % len(LINES)],
            "ms": 3.6,
            "lw": 1.1,
            "mec": "white",
            "mew": 0.3,
        }
        found.append(style)
    return found


def _key(lines: Sequence[Curve], styles: Sequence[Mapping[str, Any]]) -> list[Block]:
    shown = sorted(zip(lines, styles, strict=True), key=lambda pair: -pair[0].ys[-1])
    entries = []
    for line, style in shown:
        look = dict(style)
        marker = {name: look.pop(name) for name in ("marker", "ms", "mec", "mew")}
        drawn = (
            stroke([0, 18], [4.5, 4.5], **look),
            dot(9, 4.5, color=look["color"], **marker),
        )
        entries.append(Entry(drawn, line.name, 18))
    remarks = []
    if any(any(line.disturbed) for line in lines):
        remarks = [
            Block("", (Entry((dot(marker="x", ms=5, color="#000000"),), "disturbed or unsteady"),))
        ]
    weights = tuple(line.ys[-1] for line, _ in shown)
    return [Block("network", tuple(entries), weights), *remarks]


def _scales(axes: Axes, lines: Sequence[Curve], log: bool, *, doubling: bool) -> None:
    xs = sorted({x for line in lines for x in line.xs})
    if doubling:
        axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(_few(xs)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(plain_number)
    if log:
        axes.set_yscale("log")
        log_ticks(axes.yaxis, 10)
    else:
        least, most = (edge(y for line in lines for y in line.ys) for edge in (min, max))
        axes.set_ylim(1.08 * min(least, 0), 1.08 * max(most, 0) or 1)
        axes.yaxis.set_major_locator(MaxNLocator(7))
    axes.yaxis.set_major_formatter(plain_number)
    axes.grid(axis="x", visible=False)


def _few(xs: Sequence[float]) -> list[float]:
    """At most nine of them, at even steps."""
    step = -(-len(xs) // 9)
    return list(xs[::step])
