"""Where a network spends: a bar per layer along the network, for one cost above the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from archscope.arguments import checked, inches, texts
from archscope.errors import InvalidInput
from archscope.plots.captions import caption
from archscope.plots.key import Block, Entry, patch
from archscope.plots.points import number, text
from archscope.plots.sheet import begin, finish, fitting
from archscope.plots.spans import parts
from archscope.plots.style import COLOURS, GREY, styled
from archscope.plots.tables import axes, layer_costs
from archscope.report.numbers import count

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Cost:
    """A column, and how its panel is written."""

    title: str
    units: tuple[tuple[str, float], ...]  # the largest first


_COUNTS = (("G", 1e9), ("M", 1e6), ("K", 1e3), ("", 1.0))
_BYTES = (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10), ("B", 1.0))
COSTS = {
    "macs": Cost("MACs", _COUNTS),
    "flops": Cost("FLOPs", _COUNTS),
    "params": Cost("parameters", _COUNTS),
    "activations": Cost("activations", _COUNTS),
    "output_bytes": Cost("output", _BYTES),
    "weight_bytes": Cost("weights", _BYTES),
    "saved_bytes": Cost("saved", _BYTES),
    "self_ms": Cost("own time", (("s", 1e3), ("ms", 1.0), ("µs", 1e-3))),
}
_USUAL = ("macs", "params", "output_bytes", "self_ms")
_MOST_NAMES = 44
_MOST_PARTS = 26
# Kinds that nearly every network has keep their colour whatever else a network has.
_KINDS = {
    "Conv": COLOURS[0],
    "Linear": COLOURS[1],
    "Norm": COLOURS[2],
    "Attention": COLOURS[3],
    "attention": COLOURS[3],
    "LSTM": COLOURS[5],
    "GRU": COLOURS[5],
    "RNN": COLOURS[5],
    "Pool": COLOURS[6],
}
_NAMES = {
    COLOURS[0]: "convolution",
    COLOURS[1]: "linear",
    COLOURS[2]: "normalisation",
    COLOURS[3]: "attention",
    COLOURS[5]: "recurrent",
    COLOURS[6]: "pooling",
    GREY: "other",
}


@checked(frame=layer_costs, ax=axes, columns=texts, size=inches)
def layers(
    frame: pd.DataFrame,
    ax: Axes | Sequence[Axes] | None = None,
    *,
    columns: Sequence[str] | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Costs of every layer along the network.

    Args:
        frame: ``Report.layers``, or rows of blocks, in the order in which they run; ``attrs`` may
            have "model" and "conditions". Measured times are its column ``self_ms``.
        ax: one axes for each column; a figure of its own by default.
        columns: some of ``COSTS``; by default MACs, parameters, bytes of the output and, where it
            was measured, time.
        size: of its own figure, inches.

    Returns:
        A panel per column. Layers without any of the costs have no place.

    Raises:
        InvalidInput: a column that there is not, or a network without costs.
    """
    chosen = _chosen(frame, columns)
    rows = [row for row in frame.to_dict("records") if _costs_anything(row, chosen)]
    if not rows:
        raise InvalidInput("no layer of this network has any of " + ", ".join(chosen))
    size = size or (7.0, 1.0 + 1.35 * len(chosen))
    with styled(fine=True):
        sheet = begin(ax, size, len(chosen), stacked=True)
        shades = [_colour(text(row.get("kind"))) for row in rows]
        for axes, column in zip(sheet.panels, chosen, strict=True):
            _draw(axes, [number(row[column]) or 0.0 for row in rows], shades, COSTS[column])
        _name(sheet.panels[-1], [str(row["path"]) for row in rows])
        shown = [colour for colour in _NAMES if colour in shades]
        entries = [Entry((patch(colour),), _NAMES[colour], 16) for colour in shown]
        sheet.key.append(Block("kind", tuple(entries)))
        model = text(frame.attrs.get("model"))
        if model:
            title = fitting(model, sheet.width)
            sheet.panels[0].set_title(title, loc="left", parse_math=False)
        return finish(sheet, caption(text(frame.attrs.get("conditions"))), f"{model} by layer")


def _chosen(frame: pd.DataFrame, columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return [name for name in _USUAL if name in frame and frame[name].notna().any()]
    for name in columns:
        if name not in COSTS or name not in frame:
            known = [column for column in COSTS if column in frame]
            raise InvalidInput(f"layers have one of {', '.join(known)}, not '{name}'")
    return list(columns)


def _costs_anything(row: dict, columns: Sequence[str]) -> bool:
    # The network's sum of activations has the input, as the course's table of VGG does.
    counted = row.get("kind") != "Input" or "activations" in columns
    return counted and any(number(row[name]) for name in columns)


def _colour(kind: str) -> str:
    return next((colour for part, colour in _KINDS.items() if part in kind), GREY)


def _draw(axes: Axes, values: Sequence[float], shades: Sequence[str], cost: Cost) -> None:
    unit, scale = next((u for u in cost.units if max(values) >= u[1]), cost.units[-1])
    width = 0.8 if len(values) <= 80 else 1.0
    heights = [value / scale for value in values]
    axes.bar(range(len(values)), heights, width=width, color=shades, linewidth=0, gid=cost.title)
    axes.set_ylabel(f"{cost.title} ({unit})" if unit else cost.title)
    axes.set_xlim(-0.7, len(values) - 0.3)
    axes.set_ylim(0, 1.2 * max(heights) or 1)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", which="both", length=0)
    total = sum(values)
    if cost.units is _COUNTS:
        written = count(round(total))
    else:
        of_total, times = next((u for u in cost.units if total >= u[1]), cost.units[-1])
        written = f"{total / times:.3g} {of_total}"
    axes.annotate(
        f"total {written}",
        (1, 1),
        xycoords="axes fraction",
        xytext=(-2, -1),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=6.5,
        color=GREY,
    )


def _name(axes: Axes, paths: Sequence[str]) -> None:
    """Each layer's path, or the parts of a network that has too many."""
    if len(paths) <= _MOST_NAMES:
        axes.set_xticks(range(len(paths)), list(paths), rotation=90, parse_math=False)
        return
    found = parts(paths, _MOST_PARTS)
    axes.set_xticks([span.start - 0.5 for span in found[1:]], minor=True)
    axes.tick_params(axis="x", which="minor", length=4)
    room = [span for span in found if span.end - span.start >= 0.022 * len(paths)]
    axes.set_xticks(
        [(span.start + span.end - 1) / 2 for span in room],
        [span.label for span in room],
        rotation=90 if len(room) > 6 else 0,
        parse_math=False,
    )
