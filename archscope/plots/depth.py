"""Pictures of path lengths, of the gradient along them, and of both through time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from archscope.arguments import checked
from archscope.plots.picture import Picture
from archscope.plots.style import COLOURS, LINES, MARKERS, colours, styled
from archscope.plots.tables import (
    by_name,
    each,
    gradient_lags,
    gradient_layers,
    gradient_lengths,
    static_lags,
)

if TYPE_CHECKING:
    import pandas as pd

_MOST_INSIDE = 5  # networks whose key finds room inside of a panel
_LINE = 0.17  # inches that a line of a key takes


@checked(measured=each(gradient_lengths))
def depth(measured: Sequence[pd.DataFrame]) -> Figure:
    """How many paths there are of each length, and how much of the gradient comes along them.

    Args:
        measured: tables of ``archscope.gradient_paths``, one for each network.

    Returns:
        Two panels above each other with one axis of lengths: the number of paths on a logarithmic
        axis, and the share of the gradient with its 95 % interval and the effective depth marked.
    """
    with styled():
        many = len(measured) > _MOST_INSIDE
        height = max(6, _LINE * len(measured) + 1) if many else 6
        figure = Picture(figsize=(9.5 if many else 7, height), layout="constrained")
        counts, shares = figure.subplots(2, 1, sharex=True)
        for table, look in zip(measured, _looks(len(measured)), strict=True):
            _draw_counts(counts, table, look)
            _draw_shares(shares, table, look)
        counts.set_ylabel("paths of this length")
        shares.set_ylabel("share of the gradient\nat the input (%)")
        shares.set_xlabel("path length (weight layers)")
        shares.set_ylim(0, _highest(measured))
        shares.xaxis.set_major_locator(MaxNLocator(integer=True))
        _log_of_integers(counts)
        if many:
            texts = [f"{_counted(table)}, {_effective(table)}" for table in measured]
            title = "number of paths, effective depth"
            _beside(figure, counts.get_lines(), texts, title)
        else:
            counts.legend(title="number of paths")
            shares.legend(title="effective depth")
        _footnote(figure, measured)
    return figure


def _looks(number: int) -> list[dict[str, Any]]:
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


def _beside(figure: Figure, lines: Sequence[Line2D], texts: Sequence[str], title: str) -> None:
    """A key to the right of the panels, which many networks would not leave room for inside."""
    figure.legend(lines, texts, title=title, loc="outside right upper", fontsize=8)


def _counted(table: pd.DataFrame) -> str:
    return f"{table.attrs['model']}: {_power(sum(n for n in table['paths'] if n))}"


def _effective(table: pd.DataFrame) -> str:
    return f"{table.attrs['effective_depth']:.1f}"


def _draw_counts(axes: Axes, table: pd.DataFrame, look: dict[str, Any]) -> None:
    taken = [(k, n) for k, n in zip(table["length"], table["paths"], strict=True) if n]
    # Numbers of paths may be beyond floats: the axis shows their logarithm.
    heights = [_log10(n) for _, n in taken]
    size = 7 if len(taken) == 1 else 3
    axes.plot([k for k, _ in taken], heights, ms=size, label=_counted(table), **look)


def _draw_shares(axes: Axes, table: pd.DataFrame, look: dict[str, Any]) -> None:
    colour = look["color"]
    table = table[[bool(n) for n in table["paths"]]]
    effective = table.attrs["effective_depth"]
    label = f"{table.attrs['model']}: {_effective(table)}"
    if len(table) == 1:
        single = f"{label}, all on one path"
        axes.axvline(effective, color=colour, ls=look["ls"], lw=2, label=single)
        return
    axes.plot(table["length"], 100 * table["share"], ms=3, label=label, **look)
    if table.attrs["runs"] > 1:
        low, high = 100 * table["share_low"], 100 * table["share_high"]
        axes.fill_between(table["length"], low, high, color=colour, alpha=0.25, lw=0)
    axes.axvline(effective, color=colour, ls=":", lw=1.4)


def _highest(measured: Sequence[pd.DataFrame]) -> float:
    """Of networks with several lengths; one with a single length is a line through the panel."""
    shares = [100 * table["share"].max() for table in measured if (table["share"] > 0).sum() > 1]
    return 1.15 * max(shares, default=100)


def _log10(number: int) -> float:
    shift = max(number.bit_length() - 53, 0)
    return float(np.log10(float(number >> shift)) + shift * np.log10(2))


def _power(number: int) -> str:
    if number > 2**10 and number & (number - 1) == 0:
        return f"$2^{{{number.bit_length() - 1}}}$ paths"
    if number < 10**7:
        return f"{number:,} path{'s' if number > 1 else ''}"
    exponent = len(str(number)) - 1
    return f"{number / 10**exponent:.1f}$\\times10^{{{exponent}}}$ paths"


def _log_of_integers(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$10^{{{y:.0f}}}$"))


@checked(flows=by_name(each(gradient_layers)))
def gradient_flow(flows: Mapping[str, Sequence[pd.DataFrame]]) -> Figure:
    """The norm of the gradient at every weight layer.

    Args:
        flows: for each panel, by its title, tables of ``archscope.gradient_flow``. The panels stand
            side by side and share their axis of norms.
    """
    most = max(map(len, flows.values()), default=0)
    with styled():
        height = 3.8 if most <= _MOST_INSIDE else max(3.8, _LINE * most + 1.4)
        figure = Picture(figsize=(1.5 + 3.6 * len(flows), height), layout="constrained")
        panels = figure.subplots(1, len(flows), sharey=True, squeeze=False)[0]
        for axes, (title, tables) in zip(panels, flows.items(), strict=True):
            for table, look in zip(tables, _looks(len(tables)), strict=True):
                axes.plot(
                    table["layer"],
                    table["gradient_norm"],
                    markevery=max(len(table) // 8, 1),
                    ms=4,
                    lw=1.2,
                    label=table.attrs["model"],
                    **look,
                )
            axes.set_title(title)
            axes.set_xlabel("weight layer, counted from the input")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if len(tables) <= _MOST_INSIDE:
                axes.legend()
            else:
                axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
        _log_axis(panels[0])
        panels[0].set_ylabel("norm of the loss's gradient\nat the layer's output")
        _footnote(figure, [table for tables in flows.values() for table in tables])
    return figure


@checked(static=by_name(static_lags), measured=by_name(gradient_lags))
def through_time(
    static: Mapping[str, pd.DataFrame], measured: Mapping[str, pd.DataFrame] | None = None
) -> Figure:
    """Path lengths and the gradient against the time lag.

    Args:
        static: tables of ``archscope.through_time`` by label.
        measured: tables of ``archscope.gradient_through_time`` by label; no panel without any.
    """
    with styled():
        panels = 2 if measured else 1
        figure = Picture(figsize=(7, 3.2 * panels), layout="constrained")
        drawn = figure.subplots(panels, 1, squeeze=False, sharex=True)[:, 0]
        _draw_lags(drawn[0], static)
        if measured:
            _draw_gradients(drawn[1], measured)
            _footnote(figure, list(measured.values()))
        drawn[-1].set_xlabel("time lag from the loss (steps)")
    return figure


def _draw_lags(axes: Axes, static: Mapping[str, pd.DataFrame]) -> None:
    curves: dict[tuple[int, ...], list[str]] = {}
    for label, table in static.items():
        for kind in ("shortest", "longest"):
            curves.setdefault(tuple(table[kind]), []).append(f"{label} {kind}")
    for i, (curve, labels) in enumerate(curves.items()):
        axes.plot(
            range(len(curve)),
            curve,
            color=colours(len(curves))[i],
            ls=LINES[i % len(LINES)],
            label=", ".join(labels),
        )
    skips = (f"{label} {_skip(table.attrs['skip_coefficient'])}" for label, table in static.items())
    axes.legend(
        fontsize=8, title=f"recurrent skip coefficient: {', '.join(skips)}", title_fontsize=8
    )
    axes.set_ylabel("weight layers\nfrom loss to input")
    axes.set_ylim(bottom=0)


def _skip(coefficient: float) -> str:
    return r"$\infty$" if coefficient == inf else f"{coefficient:g}"


def _draw_gradients(axes: Axes, measured: Mapping[str, pd.DataFrame]) -> None:
    for i, ((label, table), colour) in enumerate(
        zip(measured.items(), colours(len(measured)), strict=True)
    ):
        for name, column, line in (("h", "hidden_norm", "-"), ("c", "cell_norm", "--")):
            if table[column].notna().all():
                axes.plot(
                    table["lag"],
                    table[column],
                    color=colour,
                    marker=MARKERS[i % len(MARKERS)],
                    ms=4,
                    ls=line,
                    markevery=max(len(table) // 8, 1),
                    label=f"{label}: {name}",
                )
        low, high = table["hidden_low"], table["hidden_high"]
        if low.notna().all():
            axes.fill_between(table["lag"], low, high, color=colour, alpha=0.2, lw=0)
    _log_axis(axes)
    axes.set_ylabel("norm of the loss's gradient\nat the state")
    axes.legend(fontsize=8, ncols=2)


def _log_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=8))


def _footnote(figure: Figure, tables: Sequence[pd.DataFrame]) -> None:
    """The conditions under which all was measured."""
    conditions = dict.fromkeys(table.attrs["conditions"] for table in tables)
    figure.supxlabel("; ".join(conditions), fontsize=7.5, color="#555555", wrap=True)
