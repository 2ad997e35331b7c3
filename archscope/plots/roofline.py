"""The roofline of a run (Williams, Waterman, Patterson 2009): layers under a device's ceilings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, cos, degrees, inf, log10, sin, sqrt
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from archscope.arguments import checked, inches
from archscope.devices import Device
from archscope.errors import InvalidInput
from archscope.plots.labels import Bubble, Label, plan, text_width, write
from archscope.plots.picture import Picture
from archscope.plots.sheet import begin, give_way, keep_inside
from archscope.plots.style import COLOURS, GREY, WIDE, styled
from archscope.plots.tables import axes as given_axes
from archscope.plots.tables import own_times, rooflines

if TYPE_CHECKING:
    import pandas as pd

_ALIKE = 0.01  # in FLOPs: one run on two kinds of devices
_KINDS = 4  # of layers with a colour of their own
_NAMED = 4  # layers
_LARGEST = 1.0  # points for every inch of width, radius of the layer that takes the most time
_SMALLEST = 1.2
_LETTERS, _TITLE = 6.5, 8.0
_SIZE = (6.0, 4.2)  # inches
_LEFT = 0.58  # inches for the rates and their name


@dataclass(frozen=True, slots=True)
class _Dot:
    """A layer: FLOP/B, FLOP/s at least time and as measured, its share of the time."""

    path: str
    kind: str
    x: float
    least: float
    measured: float | None
    share: float

    @property
    def y(self) -> float:
        return self.least if self.measured is None else self.measured


def _radii(dots: Sequence[_Dot], width: float) -> list[float]:
    """In points: areas are as the shares, but for layers too small to see."""
    most = max((dot.share for dot in dots), default=1.0)
    return [max(_LARGEST * width * sqrt(dot.share / most), _SMALLEST) for dot in dots]


@checked(frame=rooflines, measured=own_times, ax=given_axes, size=inches)
def roofline(
    frame: pd.DataFrame,
    measured: pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Every layer's arithmetic intensity and rate, under the ceilings of a device.

    Args:
        frame: of ``archscope.analyzers.roofline``.
        measured: the layers' own times, columns ``path`` and ``self_ms``, of a run on that device,
            as ``archscope latency --layers --format csv`` writes them. Then a full dot is what was
            measured and a ring above it what the roof allows.
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches; 3.3 is the width of a paper's column.

    Returns:
        A log-log picture. A dot's area is its layer's share of the time. Layers that compute
        nothing have no place on it; a line below says what share of the time they are.

    Raises:
        InvalidInput: measured times of another network, or of another run of it.
    """
    device = _device(frame)
    dots = _dots(frame, measured)
    with styled(fine=True):
        axes = _begin(device, *(size or _SIZE)) if ax is None else _given(ax, device)
        figure = axes.get_figure(root=True)
        assert figure is not None
        width = figure.get_figwidth() if ax is None else axes.bbox.width / figure.dpi + 1.2
        narrow = width < WIDE
        colours = _colours(dots)
        _limit(axes, dots, device, frame.attrs["dtype"])
        _legend(axes, colours, measured is not None, narrow, inside=ax is not None)
        _words(axes, frame, width, narrow)
        if ax is not None:
            keep_inside(axes)
        avoid = _draw_ceilings(axes, device, frame.attrs["dtype"])
        _draw_dots(axes, dots, _radii(dots, width), colours)
        _name(axes, dots, _radii(dots, width), avoid)
        if ax is None:
            words = _footnote(frame, dots, narrow)
            figure.text(0.02, 0.02, words, fontsize=6, color=GREY, va="bottom", wrap=True)
    return figure


def _begin(device: Device, width: float, height: float) -> Axes:
    """Axes of a figure of our own: fixed, since names are placed in axes whose size is final."""
    figure = Picture(figsize=(width, height))
    words = _words_beside(device) / 72
    below, above = (1.22, 0.5) if width < WIDE else (0.98, 0.26)
    edges = (_LEFT / width, below / height, 1 - (words + 0.1) / width, 1 - above / height)
    figure.subplots_adjust(*edges)
    return figure.subplots()


def _given(ax: Axes, device: Device) -> Axes:
    """The caller's, laid out."""
    (axes,) = begin(ax, None).panels
    give_way(axes, _words_beside(device) + 8)
    return axes


def _words_beside(device: Device) -> float:
    """Points that the names of the ceilings take at the right."""
    return max(text_width(text, _LETTERS) for text in _levels(device).values())


def _dots(frame: pd.DataFrame, measured: pd.DataFrame | None) -> list[_Dot]:
    """A dot for each layer call, or with measured times for each module, all of its calls."""
    if frame.empty:
        return []
    work = frame[frame["flops"] > 0]
    if measured is None:
        return [
            _Dot(row.path, row.kind, row.intensity, _rate(row), None, row.share)
            for row in work.itertuples()
        ]
    _refuse_no_times(measured)
    _refuse_another_run(frame, measured)
    own = measured.groupby("path")["self_ms"].sum()
    whole = float(measured["self_ms"].sum())
    sums = work.groupby("path", sort=False).agg(
        {"kind": "first", "flops": "sum", "bytes": "sum", "least_ms": "sum"}
    )
    found = []
    for path, row in sums.iterrows():
        if path in own.index and own[path] > 0:
            taken = float(own[path])
            rate = row.flops / taken * 1e3
            x = row.flops / row.bytes
            found.append(_Dot(str(path), row.kind, x, _rate(row), rate, taken / whole))
    if not found:
        raise InvalidInput("no layer of the measured times is a layer of this run")
    return found


def _refuse_no_times(measured: pd.DataFrame) -> None:
    wrong = measured[(measured["self_ms"] < 0) | (measured["self_ms"] == inf)]
    if len(wrong):
        path, time = wrong.iloc[0][["path", "self_ms"]]
        raise InvalidInput(f"the measured time of {path} is no time: {time:g} ms")


def _refuse_another_run(frame: pd.DataFrame, measured: pd.DataFrame) -> None:
    """Times of another batch size would be rates of nothing."""
    if "flops" not in measured.columns:
        return
    theirs, ours = float(measured["flops"].sum()), float(frame["flops"].sum())
    if abs(theirs - ours) > _ALIKE * ours:
        raise InvalidInput(
            f"the measured times are of another run, of {theirs:.4g} FLOPs and not {ours:.4g}: "
            "its network, batch size, input and mode must be those of the roofline"
        )


def _rate(row: Any) -> float:
    return 1e3 * row.flops / row.least_ms


def _colours(dots: Sequence[_Dot]) -> dict[str, str]:
    """Of the kinds of layers that take most of the time; what is left is grey."""
    shares: dict[str, float] = {}
    for dot in dots:
        shares[dot.kind] = shares.get(dot.kind, 0.0) + dot.share
    first = sorted(shares, key=lambda kind: -shares[kind])
    own = dict(zip(first[:_KINDS], COLOURS, strict=False))
    return own | ({"other": "#999999"} if len(first) > _KINDS else {})


def _limit(axes: Axes, dots: Sequence[_Dot], device: Device, dtype: str) -> None:
    """Room for every dot and for the ridge of every ceiling that is shown."""
    xs = [dot.x for dot in dots] + [device.ridge(dtype)]
    ys = [rate for dot in dots for rate in (dot.least, dot.y)]
    top = max(device.peaks.values())
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(xs) / 2, max(*xs, device.ridge(_fastest(device))) * 4)
    axes.set_ylim(min([*ys, device.bandwidth * min(xs)]) / 2, top * 2.2)


def _fastest(device: Device) -> str:
    return max(device.peaks, key=device.peaks.__getitem__)


def _levels(device: Device) -> dict[float, str]:
    """Rate -> what is written beside it; dtypes of one rate share a level."""
    found: dict[float, list[str]] = {}
    for name, rate in device.peaks.items():
        found.setdefault(rate, []).append(name)
    return {rate: f"{', '.join(found[rate])} {_short(rate)}" for rate in sorted(found)}


def _short(rate: float) -> str:
    """312T, 19.5T, 232G."""
    power, unit = next(
        ((p, u) for p, u in ((15, "P"), (12, "T"), (9, "G"), (6, "M")) if rate >= 10**p), (0, "")
    )
    return f"{rate / 10**power:.3g}{unit}"


def _draw_ceilings(axes: Axes, device: Device, dtype: str) -> list[tuple[float, float]]:
    """The bandwidths up to their ridges, and a level per rate; points that names had better avoid.

    The level of the run's dtype is black.
    """
    low, high = axes.get_xlim()
    bandwidths = [(device.bandwidth, "memory")]
    if device.cache_bandwidth is not None:
        bandwidths.append((device.cache_bandwidth, "cache"))
    widest = max(rate for rate, _ in bandwidths)
    avoid, below = [], -1e9
    for rate, text in _levels(device).items():
        mine = rate == device.product_rate(dtype)
        colour, start = ("black" if mine else GREY), max(rate / widest, low)
        axes.plot([start, high], [rate, rate], color=colour, lw=1.3 if mine else 0.7)
        avoid += _along(axes, (start, rate), (high, rate))
        height = _place(axes, high, rate)[1]
        below = max(height, below + 1.15 * _LETTERS)  # names of near rates stand above each other
        axes.annotate(
            text,
            (1, rate),
            xycoords=("axes fraction", "data"),
            xytext=(3, below - height),
            textcoords="offset points",
            va="center",
            fontsize=_LETTERS,
            color=colour,
        )
    for bandwidth, name in bandwidths:
        end = (device.peaks[_fastest(device)] / bandwidth, device.peaks[_fastest(device)])
        axes.plot([low, end[0]], [low * bandwidth, end[1]], color="black", lw=1.3)
        avoid += _along(axes, (low, low * bandwidth), end)
        avoid += _label_slope(axes, bandwidth, name, below=bandwidth < widest)
    return avoid


def _label_slope(
    axes: Axes, bandwidth: float, name: str, *, below: bool
) -> list[tuple[float, float]]:
    """Along the line, in the part that is inside; layers are below the highest, above the other.

    Returns the points that the letters take.
    """
    low, _ = axes.get_xlim()
    bottom, top = axes.get_ylim()
    start = max(low, bottom / bandwidth)
    box = axes.get_window_extent()
    slope = (box.height / log10(top / bottom)) / (box.width / log10(axes.get_xlim()[1] / low))
    x = start * (2.8 if below else 1.35)
    words = f"{name} {bandwidth / 1e9:.4g} GB/s"
    axes.annotate(
        words,
        (x, x * bandwidth),
        xytext=(2, -3) if below else (0, 3),
        textcoords="offset points",
        rotation=_degrees(slope),
        rotation_mode="anchor",
        ha="left",
        va="top" if below else "bottom",
        fontsize=_LETTERS,
        gid=f"bandwidth {name}",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.8},
        zorder=2.5,
    )
    (left, low), angle = _place(axes, x, x * bandwidth), atan(slope)
    away = (-1 if below else 1) * (0.5 * _LETTERS + 3)
    return [
        (
            left + along * cos(angle) - away * sin(angle),
            low + along * sin(angle) + away * cos(angle),
        )
        for along in range(0, int(text_width(words, _LETTERS)) + 4, 4)
    ]


def _degrees(slope: float) -> float:
    return degrees(atan(slope))


def _along(
    axes: Axes, start: tuple[float, float], end: tuple[float, float]
) -> list[tuple[float, float]]:
    """Points of a line, in points from the lower left corner of the axes."""
    found = []
    (x0, y0), (x1, y1) = _place(axes, *start), _place(axes, *end)
    steps = max(int(abs(x1 - x0) // 4), 1)
    for step in range(steps + 1):
        part = step / steps
        found.append((x0 + part * (x1 - x0), y0 + part * (y1 - y0)))
    return found


def _place(axes: Axes, *point: float) -> tuple[float, float]:
    shown = axes.transData.transform(point) - axes.bbox.min
    x, y = shown * 72 / axes.figure.dpi
    return float(x), float(y)


def _draw_dots(
    axes: Axes, dots: Sequence[_Dot], radii: Sequence[float], colours: dict[str, str]
) -> None:
    """The largest first, so that none hides another."""
    for dot, radius in sorted(zip(dots, radii, strict=True), key=lambda one: -one[1]):
        colour = colours.get(dot.kind, colours.get("other", COLOURS[0]))
        area = (2 * radius) ** 2
        if dot.measured is not None:
            axes.plot([dot.x, dot.x], [dot.least, dot.measured], color=colour, lw=0.5, alpha=0.5)
            axes.scatter([dot.x], [dot.least], s=9, facecolors="white", edgecolors=colour, lw=0.7)
        axes.scatter(
            [dot.x], [dot.y], s=area, color=colour, alpha=0.75, lw=0.4, ec="white", zorder=3
        )


def _name(
    axes: Axes,
    dots: Sequence[_Dot],
    radii: Sequence[float],
    lines: Sequence[tuple[float, float]],
) -> None:
    """The layers that take most of the time, where there is room off the ceilings."""
    bubbles = [
        Bubble(*_place(axes, dot.x, dot.y), radius) for dot, radius in zip(dots, radii, strict=True)
    ]
    first = sorted(range(len(dots)), key=lambda i: -dots[i].share)[:_NAMED]
    labels = [Label(dots[i].path, i) for i in first]
    bubbles += [Bubble(x, y, 0.8) for x, y in lines]
    write(axes, plan(axes, labels, bubbles, _LETTERS))


def _legend(
    axes: Axes, colours: dict[str, str], measured: bool, narrow: bool, *, inside: bool
) -> None:
    """Below our own axes; of the caller's in the corner of much arithmetic at a low rate."""
    marks = [
        Line2D([], [], ls="", marker="o", ms=5, color=colour, label=kind)
        for kind, colour in colours.items()
    ]
    if measured:
        ring = Line2D([], [], ls="", marker="o", ms=3, mfc="white", mec=GREY, label="at the roof")
        marks.append(ring)
    columns = max(min(len(marks), 3 if narrow else 6), 1)
    if inside:
        axes.legend(handles=marks, loc="lower right", fontsize=_LETTERS, handletextpad=0.2)
        return
    axes.legend(
        handles=marks,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.4 * axes.figure.dpi / axes.bbox.height),
        ncols=columns,
        fontsize=_LETTERS,
        handletextpad=0.2,
        columnspacing=1.0,
    )


def _words(axes: Axes, frame: pd.DataFrame, width: float, narrow: bool) -> None:
    """Titles of the axes and of the picture."""
    attrs = frame.attrs
    axes.set_xlabel("arithmetic intensity (FLOP/B)")
    axes.set_ylabel("FLOP/s")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    run = f"{attrs['dtype']}, batch {attrs['batch']}, {attrs['mode']}"
    if narrow:
        lines = [attrs["model"], attrs["device"].title, run]
    else:
        lines = [f"{attrs['model']} on {attrs['device'].title}; {run}"]
    room = 72 * (width - _LEFT) - 4
    size = min(_TITLE, *(_TITLE * room / text_width(line, _TITLE) for line in lines))
    axes.set_title("\n".join(lines), loc="left", fontsize=size, parse_math=False)


def _footnote(frame: pd.DataFrame, dots: Sequence[_Dot], narrow: bool) -> str:
    timed = any(dot.measured is not None for dot in dots)
    hidden = 100 * max(1 - sum(dot.share for dot in dots), 0)
    most = 100 * max((dot.share for dot in dots), default=0)
    time = "measured time" if timed else "least time"
    area = f"Area: share of the {time}, of the largest dot {most:.1f} %."
    why = "layers that compute nothing, time between layers" if timed else "compute nothing"
    found = [area, f"Not shown ({why}): {hidden:.1f} %."]
    if dots and not timed and (frame["bound"] == "launch").any():
        found.append(f"Below the roof: bound by launches, {1e6 * _device(frame).launch:g} us each.")
    return ("\n" if narrow else " ").join(found)


def _device(frame: pd.DataFrame) -> Device:
    return frame.attrs["device"]
