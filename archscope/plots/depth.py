"""Pictures of path lengths, of the gradient along them, and of both through time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from archscope.arguments import checked, inches
from archscope.plots.bubbles import log_ticks
from archscope.plots.captions import caption, gradients
from archscope.plots.key import Block, Entry, dot, stroke
from archscope.plots.points import listed, shown_name
from archscope.plots.sheet import Sheet, begin, finish, outer_titles
from archscope.plots.style import COLOURS, FULL_WIDTH, GREY, LINES, MARKERS, colours, styled
from archscope.plots.tables import (
    axes,
    by_name,
    each,
    gradient_lags,
    gradient_layers,
    gradient_lengths,
    static_lags,
)

if TYPE_CHECKING:
    import pandas as pd

Look = dict[str, Any]

_TICKS = 8
_NORMS = {"hidden_norm": ("h", "-"), "cell_norm": ("c", "--")}
_PANEL = 3.2  # inches of a panel beside others
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_JOINED = 3  # curves that coincide, by name in a line of the key


@checked(measured=each(gradient_lengths), ax=axes, size=inches)
def depth(
    measured: Sequence[pd.DataFrame],
    ax: Sequence[Axes] | None = None,
    *,
    size: tuple[float, float] | None = None,
) -> Figure:
    """How many paths there are of each length, and how much of the gradient comes along them.

    Args:
        measured: tables of ``archscope.gradient_paths``, one for each network.
        ax: two axes to draw into; a figure of its own by default.
        size: of its own figure, inches.

    Returns:
        Two panels above each other with one axis of lengths: the number of paths on a logarithmic
        axis, and the share of the gradient with its 95 % interval and the effective depth marked.
    """
    with styled(fine=True):
        sheet = begin(ax, size or (FULL_WIDTH[0], 5.2), 2, stacked=True)
        counts, shares = sheet.panels
        entries = []
        for table, look in zip(measured, _looks(len(measured)), strict=True):
            _draw_counts(counts, table, look)
            _draw_shares(shares, table, look)
            entries.append(_entry(look, f"{_name(table)}: {_counted(table)}, {_effective(table)}"))
        counts.set_ylabel("paths of this length")
        shares.set_ylabel("share of the gradient at the input (%)")
        shares.set_xlabel("path length (weight layers)")
        shares.set_ylim(0, _highest(measured))
        shares.yaxis.set_major_locator(MaxNLocator(_TICKS))
        counts.set_xlim(shares.get_xlim())
        shares.xaxis.set_major_locator(MaxNLocator(integer=True))
        _log_of_integers(counts)
        depths = tuple(table.attrs["effective_depth"] for table in measured)
        sheet.key.append(Block("network: paths, effective depth", tuple(entries), depths))
        repeated = any(table.attrs["runs"] > 1 for table in measured)
        said = caption(
            "Vertical: effective depth, the mean length by gradient.",
            "Shaded: 95 % intervals." if repeated else "",
            gradients(measured),
        )
        return finish(sheet, said, "Paths and the gradient along them")


def _looks(number: int) -> list[Look]:
    """Colours, which repeat after seven with other markers and other lines."""
    turns = [i // len(COLOURS) for i in range(number)]
    return [
        {
            "color": colour,
            "marker": MARKERS[(i + turn) % len(MARKERS)],
            "ls": LINES[turn % len(LINES)],
        }
        for i, (colour, turn) in enumerate(zip(colours(number), turns, strict=True))
    ]


def _entry(look: Look, words: str) -> Entry:
    line = {name: value for name, value in look.items() if name != "marker"}
    mark = {"marker": look.get("marker"), "color": look["color"], "ms": 3.6}
    return Entry((stroke([0, 18], [4.5, 4.5], lw=1.2, **line), dot(9, 4.5, **mark)), words, 18)


def _name(table: pd.DataFrame) -> str:
    return shown_name(table.attrs["model"])


def _counted(table: pd.DataFrame) -> str:
    return _power(sum(n for n in table["paths"] if n))


def _effective(table: pd.DataFrame) -> str:
    return f"{table.attrs['effective_depth']:.1f}"


def _draw_counts(axes: Axes, table: pd.DataFrame, look: Look) -> None:
    taken = [(k, n) for k, n in zip(table["length"], table["paths"], strict=True) if n]
    # Numbers of paths may be beyond floats: the axis shows their logarithm.
    heights = [_log10(int(n)) for _, n in taken]
    axes.plot(
        [k for k, _ in taken],
        heights,
        ms=6 if len(taken) == 1 else 2.6,
        gid=f"paths {_name(table)}",
        **look,
    )


def _draw_shares(axes: Axes, table: pd.DataFrame, look: Look) -> None:
    colour = look["color"]
    table = table[[bool(n) for n in table["paths"]]]
    effective = table.attrs["effective_depth"]
    single = len(table) == 1  # all comes along one path
    axes.axvline(effective, color=colour, ls=look["ls"] if single else ":", lw=1.5 if single else 1)
    if single:
        return
    axes.plot(table["length"], 100 * table["share"], ms=2.6, gid=f"share {_name(table)}", **look)
    if table.attrs["runs"] > 1:
        low, high = 100 * table["share_low"], 100 * table["share_high"]
        axes.fill_between(table["length"], low, high, color=colour, alpha=0.25, lw=0)


def _highest(measured: Sequence[pd.DataFrame]) -> float:
    """Of networks with several lengths; one with a single length is a line through the panel."""
    shares = [100 * table["share"].max() for table in measured if (table["share"] > 0).sum() > 1]
    return 1.15 * max(shares, default=100)


def _log10(number: int) -> float:
    shift = max(number.bit_length() - 53, 0)
    return float(np.log10(float(number >> shift)) + shift * np.log10(2))


def _power(number: int) -> str:
    """12 paths, 2⁵⁴ paths, 1.3×10⁸ paths."""
    if number > 2**10 and number & (number - 1) == 0:
        return f"2{_raised(number.bit_length() - 1)} paths"
    if number < 10**7:
        return f"{number:,} path{'s' if number > 1 else ''}"
    exponent = len(str(number)) - 1
    return f"{number / 10**exponent:.1f}×10{_raised(exponent)} paths"


def _raised(exponent: int) -> str:
    return str(exponent).translate(_SUPERSCRIPTS)


def _log_of_integers(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$10^{{{y:.0f}}}$"))


@checked(flows=by_name(each(gradient_layers)), ax=axes, size=inches)
def gradient_flow(
    flows: Mapping[str, Sequence[pd.DataFrame]],
    ax: Axes | Sequence[Axes] | None = None,
    *,
    size: tuple[float, float] | None = None,
) -> Figure:
    """The norm of the gradient at every weight layer.

    Args:
        flows: for each panel, by its title, tables of ``archscope.gradient_flow``.
        ax: one axes for each panel; a figure of its own by default.
        size: of its own figure, inches.

    Returns:
        Panels beside each other, or above each other in a narrow figure, which have one scale.
    """
    with styled(fine=True):
        sheet = begin(ax, size or (max(FULL_WIDTH[0], _PANEL * len(flows)), 3.4), len(flows))
        for axes, (title, tables) in zip(sheet.panels, flows.items(), strict=True):
            looks = _looks(len(tables))
            for table, look in zip(tables, looks, strict=True):
                _along(axes, table, "layer", "gradient_norm", look)
            if len(flows) > 1:
                axes.set_title(shown_name(title), parse_math=False)
            axes.set_xlabel("weight layer, counted from the input")
            axes.set_ylabel("norm of the loss's gradient at the layer's output")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            entries = [_entry(look, _name(t)) for t, look in zip(tables, looks, strict=True)]
            lengths = tuple(len(table) for table in tables)
            sheet.key.append(Block(shown_name(title), tuple(entries), lengths))
        every = [table for tables in flows.values() for table in tables]
        _share_scale(sheet, [norm for table in every for norm in table["gradient_norm"]])
        return finish(sheet, gradients(every), "The gradient at every layer")


def _along(axes: Axes, table: pd.DataFrame, x: str, y: str, look: Look) -> None:
    """A curve with a marker here and there."""
    every = max(len(table) // 8, 1)
    axes.plot(table[x], table[y], markevery=every, ms=3.2, gid=f"{y} {_name(table)}", **look)


def _share_scale(sheet: Sheet, norms: Iterable[float]) -> None:
    """One logarithmic scale of all panels, with its numbers where its title is."""
    known = list(norms)
    outer_titles(sheet)
    for panel in sheet.panels:
        _log_axis(panel, known)
        if sheet.own and not panel.get_ylabel():
            panel.tick_params(axis="y", labelleft=False)


@checked(static=by_name(static_lags), measured=by_name(gradient_lags), ax=axes, size=inches)
def through_time(
    static: Mapping[str, pd.DataFrame],
    measured: Mapping[str, pd.DataFrame] | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    *,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Path lengths and the gradient against the time lag.

    Args:
        static: tables of ``archscope.through_time`` by label.
        measured: tables of ``archscope.gradient_through_time`` by label; no panel without any.
        ax: one axes, and a second one with ``measured``; a figure of its own by default.
        size: of its own figure, inches.
    """
    measured = measured or {}
    panels = 2 if measured else 1
    looks = dict(
        zip(names := [*dict.fromkeys([*static, *measured])], _looks(len(names)), strict=True)
    )
    with styled(fine=True):
        sheet = begin(ax, size or (FULL_WIDTH[0], 1.2 + 2 * panels), panels, stacked=True)
        sheet.key.append(_draw_lags(sheet.panels[0], static, looks))
        if measured:
            sheet.key.append(_draw_gradients(sheet.panels[1], measured, looks))
        sheet.panels[-1].set_xlabel("time lag from the loss (steps)")
        skips = [f"{shown_name(label)} {_skip(table)}" for label, table in static.items()]
        said = caption(
            f"Recurrent skip coefficient (Zhang et al. 2016): {listed(skips)}.",
            gradients(list(measured.values())),
        )
        return finish(sheet, said, "Paths and gradients through time")


def _draw_lags(axes: Axes, static: Mapping[str, pd.DataFrame], looks: Mapping[str, Look]) -> Block:
    """A curve in its network's colour; grey where those of several networks coincide."""
    curves: dict[tuple[int, ...], list[tuple[str, str]]] = {}
    for label, table in static.items():
        for kind in ("shortest", "longest"):
            curves.setdefault(tuple(table[kind]), []).append((label, kind))
    entries = []
    greys = iter([(GREY, 1.2), ("#999999", 1.2), ("#000000", 1.2)] + [(GREY, 0.7)] * len(curves))
    for curve, found in curves.items():
        labels, kinds = {label for label, _ in found}, {kind for _, kind in found}
        colour, width = (looks[found[0][0]]["color"], 1.2) if len(labels) == 1 else next(greys)
        look: Look = {"color": colour, "ls": "--" if kinds == {"shortest"} else "-", "lw": width}
        axes.plot(range(len(curve)), curve, gid=f"lags {found}", **look)
        words = listed([f"{shown_name(label)} {kind}" for label, kind in found], _JOINED)
        entries.append(Entry((stroke([0, 18], [4.5, 4.5], **look),), words, 18))
    axes.set_ylabel("weight layers from loss to input")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(_TICKS - 2))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return Block("paths", tuple(entries), tuple(range(len(entries), 0, -1)))


def _skip(table: pd.DataFrame) -> str:
    coefficient = table.attrs["skip_coefficient"]
    return "∞" if coefficient == inf else f"{coefficient:g}"


def _draw_gradients(
    axes: Axes, measured: Mapping[str, pd.DataFrame], looks: Mapping[str, Look]
) -> Block:
    entries = []
    for label, table in measured.items():
        for column, (name, line) in _NORMS.items():
            if column in table and table[column].notna().all():
                look = looks[label] | {"ls": line}
                _along(axes, table, "lag", column, look)
                entries.append(_entry(look, f"{shown_name(label)}: {name}"))
        if "hidden_low" in table and table["hidden_low"].notna().all():
            low, high = table["hidden_low"], table["hidden_high"]
            colour = looks[label]["color"]
            axes.fill_between(table["lag"], low, high, color=colour, alpha=0.2, lw=0)
    columns = [t[name] for t in measured.values() for name in _NORMS if name in t]
    found = [norm for column in columns for norm in column]
    _log_axis(axes, found)
    axes.set_ylabel("norm of the loss's gradient at the state")
    return Block("gradient", tuple(entries), tuple(range(len(entries), 0, -1)))


def _log_axis(axes: Axes, norms: Iterable[float]) -> None:
    """Room for every norm but those that vanished."""
    known = [norm for norm in norms if norm > 0 and isfinite(norm)]
    axes.set_yscale("log")
    if known:
        axes.set_ylim(min(known) / 2, max(known) * 2)
    log_ticks(axes.yaxis, _TICKS)
