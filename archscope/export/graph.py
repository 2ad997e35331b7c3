"""The modules of a model as a graph, with their costs on the nodes: Graphviz's language, or SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from archscope.analyzers.layers import Layer, layers
from archscope.report.numbers import count, shape
from archscope.trace.records import Trace

LARGEST = 80  # nodes; a model with more layers is drawn by its blocks


@dataclass(frozen=True)
class Node:
    """A layer, or a block of layers."""

    label: str
    kind: str
    output: str  # shape
    params: int
    macs: int
    share: float  # of the model's MACs


@dataclass(frozen=True)
class ModuleGraph:
    """Nodes in the order of the run, and the data that one gives another, as pairs of indices."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]


def module_graph(trace: Trace, level: Literal["layer", "block"] | None = None) -> ModuleGraph:
    """The graph of a trace.

    Args:
        trace: of a forward pass.
        level: "layer" has a node for each layer call; "block" folds what is inside a module of a
            model's outer levels, as deep as the drawing allows. Without one, whatever fits.
    """
    rows = [row for row in layers(trace) if row.forward or row.kind == "Input"]
    if level == "layer" or (level is None and len(rows) <= LARGEST):
        return _folded(trace, rows, list(range(len(rows))))
    depth = 1
    groups = _groups(rows, depth)
    while depth < 6 and max(deeper := _groups(rows, depth + 1)) < LARGEST:
        groups, depth = deeper, depth + 1
    return _folded(trace, rows, groups)


def to_dot(graph: ModuleGraph) -> str:
    """The graph in Graphviz's language: ``dot -Tsvg``."""
    lines = [
        "digraph model {",
        f"  label={_quoted(graph.title)};",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=10];',
    ]
    for i, node in enumerate(graph.nodes):
        label = "\\n".join(_escaped(line) for line in _lines(node))
        lines.append(f'  n{i} [label="{label}", fillcolor="{_colour(node.share)}"];')
    lines += [f"  n{i} -> n{j};" for i, j in graph.edges]
    return "\n".join([*lines, "}", ""])


def to_svg(graph: ModuleGraph) -> str:
    """The graph drawn from top to bottom: each node below all that it reads."""
    places, width, height = _places(graph)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" '
        'markerHeight="6" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>',
        f'<text x="{MARGIN}" y="22" font-size="14" font-weight="bold">{escape(graph.title)}</text>',
    ]
    parts += [_svg_edge(places[i], places[j]) for i, j in graph.edges]
    parts += [_svg_node(node, place) for node, place in zip(graph.nodes, places, strict=True)]
    return "\n".join([*parts, "</svg>", ""])


# -- folding ---------------------------------------------------------------------------------------


def _groups(rows: Sequence[Layer], depth: int) -> list[int]:
    """For each row the number of its group: what runs together in one module of that depth."""
    groups: list[int] = []
    above = None
    for row in rows:
        name = _block(row, depth)
        groups.append((groups[-1] + (name != above)) if groups else 0)
        above = name
    return groups


def _block(row: Layer, depth: int) -> str:
    return ".".join(row.path.split(".")[:depth])


def _folded(trace: Trace, rows: Sequence[Layer], groups: Sequence[int]) -> ModuleGraph:
    members: dict[int, list[Layer]] = {}
    group_of_op: dict[int, int] = {}
    for row, group in zip(rows, groups, strict=True):
        members.setdefault(group, []).append(row)
        group_of_op.update((op.index, group) for op in row.forward)
    edges = {
        (group_of_op[parent], group_of_op[op.index])
        for op in trace.forward
        if op.index in group_of_op
        for parent in op.parents
        if parent in group_of_op and group_of_op[parent] != group_of_op[op.index]
    }
    nodes = tuple(_node(found, trace) for found in members.values())
    title = f"{trace.model}: {count(trace.macs)} MACs, batch {trace.batch}"
    return ModuleGraph(title, nodes, tuple(sorted(edges)))


def _node(rows: Sequence[Layer], trace: Trace) -> Node:
    macs = sum(op.macs for row in rows for op in row.forward)
    label = rows[0].path if len(rows) == 1 else _common(row.path for row in rows)
    kind = rows[0].kind if len(rows) == 1 else trace.modules.get(label, "")
    return Node(
        label=label or rows[0].path,
        kind=kind or f"{len(rows)} layers",
        output=shape(rows[-1].output_shape) if rows[-1].output_shapes else "",
        params=sum(p.elements for row in rows for p in row.parameters),
        macs=macs,
        share=macs / trace.macs if trace.macs else 0.0,
    )


def _common(paths: Iterable[str]) -> str:
    split = [path.split(".") for path in paths]
    common = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return ".".join(common)


# -- drawing ---------------------------------------------------------------------------------------

MARGIN, WIDTH, HEIGHT, GAP_X, GAP_Y = 16, 176, 44, 28, 26


@dataclass(frozen=True)
class _Place:
    x: float  # of the centre
    y: float  # of the top
    rank: int


def _places(graph: ModuleGraph) -> tuple[list[_Place], float, float]:
    """Ranks from top to bottom, and within a rank the order of the run, centred on the page."""
    ranks = [0] * len(graph.nodes)
    for i, j in graph.edges:  # sorted, and data only flows forward
        ranks[j] = max(ranks[j], ranks[i] + 1)
    rows: dict[int, list[int]] = {}
    for node, rank in enumerate(ranks):
        rows.setdefault(rank, []).append(node)
    widest = max((len(row) for row in rows.values()), default=1)
    room = _room_for_skips(graph, ranks)
    width = 2 * (MARGIN + room) + widest * (WIDTH + GAP_X) - GAP_X
    places = [_Place(0, 0, 0)] * len(graph.nodes)
    for rank, row in rows.items():
        left = (width - len(row) * (WIDTH + GAP_X) + GAP_X + WIDTH) / 2
        for position, node in enumerate(row):
            x = left + position * (WIDTH + GAP_X)
            places[node] = _Place(x, 36 + rank * (HEIGHT + GAP_Y), rank)
    height = 36 + len(rows) * (HEIGHT + GAP_Y) + MARGIN
    return places, width, height


def _room_for_skips(graph: ModuleGraph, ranks: Sequence[int]) -> float:
    longest = max((ranks[j] - ranks[i] for i, j in graph.edges), default=1)
    return 0 if longest < 2 else _bow(longest)


def _bow(ranks: int) -> float:
    """How far an edge that passes nodes by swings out."""
    return 24 + min(6 * ranks, 72)


def _svg_edge(start: _Place, end: _Place) -> str:
    style = 'fill="none" stroke="#777" marker-end="url(#tip)"'
    x1, y1, x2, y2 = start.x, start.y + HEIGHT, end.x, end.y
    span = end.rank - start.rank
    if span < 2:
        middle = (y1 + y2) / 2
        path = f"M{x1:.0f} {y1:.0f} C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}"
        return f'<path d="{path}" {style}/>'
    side = max(x1, x2) + WIDTH / 2
    out = side + _bow(span)
    y1, y2 = start.y + HEIGHT / 2, end.y + HEIGHT / 2
    x1, x2 = x1 + WIDTH / 2, x2 + WIDTH / 2
    path = f"M{x1:.0f} {y1:.0f} C{out:.0f} {y1:.0f} {out:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return f'<path d="{path}" {style}/>'


def _svg_node(node: Node, place: _Place) -> str:
    left = place.x - WIDTH / 2
    lines = _lines(node)
    texts = "".join(
        f'<text x="{place.x:.0f}" y="{place.y + 13 + 12 * i:.0f}" text-anchor="middle" '
        f'font-size="{9 if i else 10}" font-weight="{"normal" if i else "bold"}">'
        f"{escape(_shortened(line))}</text>"
        for i, line in enumerate(lines)
    )
    return (
        f"<g><title>{escape(' | '.join(lines))}</title>"
        f'<rect x="{left:.0f}" y="{place.y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="5" '
        f'fill="{_colour(node.share)}" stroke="#555"/>{texts}</g>'
    )


def _lines(node: Node) -> list[str]:
    costs = []
    if node.params:
        costs.append(f"{count(node.params)} params")
    if node.macs:
        costs.append(f"{count(node.macs)} MACs ({100 * node.share:.1f} %)")
    kind = f"{node.kind}  {node.output}" if node.kind != "Input" else node.output
    return [node.label, kind.strip(), ", ".join(costs)] if costs else [node.label, kind.strip()]


def _shortened(text: str, longest: int = 34) -> str:
    return text if len(text) <= longest else "…" + text[len(text) - longest + 1 :]


def _colour(share: float) -> str:
    """White for nothing, deeper orange the more of the model's MACs a node has."""
    depth = min(share * 4, 1.0) ** 0.5
    red, green, blue = (round(255 + (full - 255) * depth) for full in (0xF2, 0x9E, 0x5C))
    return f"#{red:02X}{green:02X}{blue:02X}"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
