"""A report in a notebook: the tree of modules, to fold and unfold, with bars where the cost is.

Plain HTML with styles on the elements, so that it also shows where a page's scripts and style
sheets are removed; then only the marks of unfolded modules do not turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from archscope.report.numbers import count, exact, memory, shape
from archscope.report.tree import Node, tree

if TYPE_CHECKING:
    from archscope.report.report import Report

_OPEN_UP_TO = 30  # rows; a longer table shows the model's own children, folded
# Okabe and Ito's blue, orange and green, pale enough to be read through on light and dark.
_BARS = {"activations": "#009E7340", "params": "#D55E0040", "macs": "#0072B250"}
_TITLES = {"activations": "Activations", "params": "Parameters", "macs": "MACs"}
_GRID = "display:grid;grid-template-columns:minmax(14em,26em) 11em 8em 7em 8em 8em;column-gap:6px"
_MARK = '<span class="archscope-mark" style="display:inline-block">▸</span> '
_TURNED = "<style>details[open]>summary .archscope-mark{transform:rotate(90deg)}</style>"
_FONT = "font-family:sans-serif;font-size:13px;font-variant-numeric:tabular-nums;text-align:right"
_LEFT = "text-align:left;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"


def notebook(report: Report) -> str:
    """The report as HTML.

    Returns:
        A ``div``: a row per module, below it what it holds; each number with a bar as long as its
        share of the model; then the totals and the conditions.
    """
    root = tree(report)
    unfolded = sum(1 for _ in root.leaves()) <= _OPEN_UP_TO
    rows = "\n".join(line for child in root.children for line in _lines(child, root, 0, unfolded))
    sums = report.sums
    totals = (
        f"{exact(sums['params'])} parameters, {exact(sums['macs'])} MACs, "
        f"{exact(sums['flops'])} FLOPs; memory peaks at {memory(sums['peak_bytes'])}; the longest "
        f"path has {exact(sums['depth'])} weight layers, the mean one {sums['mean_path']:.1f}."
    )
    notes = [report.caption, *(f"Warning: {warning}" for warning in report.warnings)]
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    footer = f"{_GRID};border-top:1px solid;font-weight:bold"
    frame = f"{_FONT};max-width:80em;overflow-x:auto"
    return (
        f'{_TURNED}<div style="{frame}"><div style="min-width:58em">\n'
        f'<div style="text-align:left"><strong>{escape(root.name)}</strong></div>\n'
        f"{_heading()}\n{rows}\n"
        f'<div style="{footer}">{_cells(root, root, 0)}</div>\n'
        f'<div style="text-align:left"><p>{escape(totals)}</p>\n'
        f'<div style="font-size:85%">{below}</div></div></div></div>\n'
    )


def _heading() -> str:
    left = "".join(f'<span style="{_LEFT}">{title}</span>' for title in ("Layer", "Kind"))
    right = "".join(f"<span>{title}</span>" for title in ("Output", *_TITLES.values()))
    return f'<div style="{_GRID};border-bottom:1px solid;font-weight:bold">{left}{right}</div>'


def _lines(node: Node, root: Node, depth: int, unfolded: bool) -> Iterator[str]:
    cells = _cells(node, root, depth)
    if not node.children:
        yield f'<div style="{_GRID}">{cells}</div>'
        return
    state = " open" if unfolded else ""
    style = f"{_GRID};cursor:pointer;list-style:none"
    yield f'<details{state}><summary style="{style}">{cells}</summary>'
    for child in node.children:
        yield from _lines(child, root, depth + 1, unfolded)
    yield "</details>"


def _cells(node: Node, root: Node, depth: int) -> str:
    name = "Total" if node is root else node.name
    mark = "" if node is root or not node.children else _MARK
    sizes = shape(node.output_shape[1:]) if len(node.output_shape) > 1 else ""
    indent = f"{_LEFT};padding-left:{1.2 * depth:.1f}em"
    texts = [
        f'<span style="{indent}" title="{escape(name)}">{mark}{escape(name)}</span>',
        f'<span style="{_LEFT}">{escape(node.kind)}</span>',
        f"<span>{sizes if node is not root else ''}</span>",
    ]
    return "".join(texts + [_bar(node.sums[column], root.sums[column], column) for column in _BARS])


def _bar(value: int, whole: int, column: str) -> str:
    if not value:
        return "<span></span>"
    share = 100 * value / whole
    colour = f"linear-gradient(to right,{_BARS[column]} {share:.1f}%,transparent 0)"
    return (
        f'<span style="background:{colour}" title="{exact(value)}, {share:.1f} %">'
        f"{count(value)}</span>"
    )
