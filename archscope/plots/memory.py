"""Memory over the operators of one run, stacked by kind."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from archscope.analyzers.memory import bytes_by_kind, peak
from archscope.arguments import checked, inches, recorded
from archscope.errors import ArchscopeError
from archscope.plots.captions import caption, run
from archscope.plots.files import save
from archscope.plots.key import Block, Entry, patch
from archscope.plots.labels import text_width
from archscope.plots.points import shown_name
from archscope.plots.sheet import begin, finish, fitting
from archscope.plots.spans import Span, parts, spans
from archscope.plots.style import GREY, WIDE, styled
from archscope.plots.tables import axes as given_axes
from archscope.report.numbers import memory as in_bytes
from archscope.trace.records import Trace

# What is there all the time at the bottom, what comes and goes on top.
_COLOURS = {
    "weights": "#0072B2",
    "buffers": "#004466",
    "optimizer": "#56B4E9",
    "inputs": "#000000",
    "gradients": "#D55E00",
    "saved": "#009E73",
    "temporaries": "#E69F00",
}
_MOST_LABELS = 26
_SIZE = (7.0, 3.8)  # inches
_ABOVE = 36.0  # points above the peak for its name and those of the phases
_LETTERS = 6.5
_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))


@checked(trace=recorded, ax=given_axes, size=inches)
def timeline(
    trace: Trace, ax: Axes | None = None, *, size: tuple[float, float] | None = None
) -> Figure:
    """Bytes alive during every operator, by kind, with layers, phases and the peak marked.

    Args:
        trace: a run of any length.
        ax: axes to draw into; a figure of its own by default.
        size: of its own figure, inches.
    """
    curves, top = bytes_by_kind(trace), peak(trace)
    unit, scale = next((u for u in _UNITS if top.bytes >= u[1]), _UNITS[-1])
    with styled(fine=True):
        sheet = begin(ax, size or _SIZE)
        (axes,) = sheet.panels
        edges = range(len(trace.ops) + 1)
        shown = [kind for kind in _COLOURS if any(curves[kind])]
        axes.stackplot(
            edges,
            [[y / scale for y in (*curves[kind], *curves[kind][-1:])] for kind in shown],
            colors=[_COLOURS[kind] for kind in shown],
            step="post",
            linewidth=0,
        )
        axes.set_xlim(0, max(len(trace.ops), 1))
        headroom = 1 + max(0.22, _ABOVE / sheet.height)
        axes.set_ylim(0, max(top.bytes / scale, 1e-9) * headroom)
        axes.set_ylabel(f"memory ({unit})")
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.grid(axis="x", visible=False)
        _mark_layers(axes, trace, 0.75 * sheet.width)
        _mark_phases(axes, trace)
        where, narrow = _where(top.operator, top.layer), sheet.width < 72 * WIDE
        _mark_peak(axes, trace, top.op, top.bytes / scale, "" if narrow else where)
        entries = [Entry((patch(_COLOURS[kind]),), kind, 16) for kind in reversed(shown)]
        sheet.key.append(Block("memory", tuple(entries)))
        lines = [f"{shown_name(trace.model)}: peak {in_bytes(top.bytes)}", where if narrow else ""]
        title = "\n".join(fitting(line, sheet.width) for line in lines if line)
        axes.set_title(title, loc="left", parse_math=False)
        said = (
            "Memory is derived: bytes alive while each operator runs, as the program asks for them."
        )
        return finish(sheet, caption(said, run(trace)), "Memory over one run")


def save_timeline(trace: Trace, path: str | Path) -> None:
    """Draw the timeline into a file; its ending tells the format.

    Raises:
        ArchscopeError: a file that cannot be written, or whose ending is of no picture.
    """
    try:
        save(timeline(trace), path)
    except ArchscopeError as error:
        raise ArchscopeError(f"cannot draw into {path}: {error}") from error


def _where(operator: str, layer: str) -> str:
    return f"{operator} of {layer}" if layer else operator


def _mark_peak(axes: Axes, trace: Trace, op: int, height: float, where: str) -> None:
    middle = op + 0.5
    left = middle < len(trace.ops) / 2
    axes.plot([middle], [height], marker="v", color="black", ms=6, clip_on=False)
    axes.annotate(
        where,
        (middle, height),
        xytext=(6 if left else -6, 7),
        textcoords="offset points",
        ha="left" if left else "right",
        va="bottom",
        fontsize=7,
        parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def _mark_phases(axes: Axes, trace: Trace) -> None:
    """The phases' names along the top, with a line between them."""
    phases = spans([op.phase for op in trace.ops])
    if len(phases) == 1:
        return
    for span in phases:
        if span.start:
            axes.axvline(span.start, color="black", lw=0.8, ls=":")
        wide = span.end - span.start > 0.05 * len(trace.ops)
        axes.annotate(
            span.label if wide else "",
            ((span.start + span.end) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, -3),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7,
            color=GREY,
        )


def _mark_layers(axes: Axes, trace: Trace, width: float) -> None:
    """Parts of the model on the axis, at the deepest level whose names find room."""
    found = _parts(trace)
    total = max(len(trace.ops), 1)
    axes.set_xticks(sorted({span.start for span in found} | {total}), minor=True)
    room = [s for s in found if s.end - s.start >= max(0.022, 1.3 * _LETTERS / width) * total]
    crowded = any(
        text_width(span.label, _LETTERS) > (span.end - span.start) / total * width for span in room
    )
    axes.set_xticks(
        [(span.start + span.end) / 2 for span in room],
        [span.label for span in room],
        rotation=90 if crowded or len(room) > 8 else 0,
        fontsize=_LETTERS,
        parse_math=False,
    )
    axes.tick_params(axis="x", which="major", length=0)
    axes.tick_params(axis="x", which="minor", length=5)
    axes.set_xlabel(f"operators in the order in which they run ({len(trace.ops):,})")


def _parts(trace: Trace) -> list[Span]:
    if len(trace.ops) <= _MOST_LABELS // 2:
        return spans([op.module or op.name for op in trace.ops])
    return parts(
        ["update" if op.phase == "optimizer" else op.module for op in trace.ops], _MOST_LABELS
    )
