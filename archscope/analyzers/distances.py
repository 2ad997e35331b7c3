"""How far each operator is from the model's input and from its output, along its routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from archscope.analyzers.routes import LENGTHS, Count, operands, residual_branches
from archscope.analyzers.unrolled import Growth, state_passes
from archscope.trace.records import Op, Trace

Range = tuple[int, int]  # shortest, longest


class Distance(NamedTuple):
    """Lengths on the way from the inputs up to and with an operator, and behind it to the output;
    None where no route leads."""

    shortest_from_input: int | None
    longest_from_input: int | None
    shortest_to_output: int | None
    longest_to_output: int | None


def distances(trace: Trace, count: Count = "layers") -> dict[int, Distance]:
    """The distances of every forward operator, by its index."""
    edges = _all_edges(trace, count)
    before = _reached(trace, edges, {op.index for op in trace.forward if op.category == "input"})
    behind: dict[int, Range] = dict.fromkeys(trace.outputs, (0, 0))
    for index in reversed(edges):
        if index in behind:
            for parent, by in edges[index]:
                way = _longer(behind[index], by)
                known = behind.get(parent, way)
                behind[parent] = min(way[0], known[0]), max(way[1], known[1])
    return {
        index: Distance(*before.get(index, (None, None)), *behind.get(index, (None, None)))
        for index in edges
    }


def reached_from(trace: Trace, source: int) -> dict[int, Range]:
    """Fewest and most weight layers from one input's operator to every other that it reaches."""
    return _reached(trace, _all_edges(trace, "layers"), {source})


def extremes(trace: Trace, count: Count = "layers") -> Range:
    """Lengths of the shortest and of the longest route from input to output; 0, 0 without one."""
    near = distances(trace, count)
    ways = [
        (end.shortest_from_input, end.longest_from_input)
        for end in (near[op] for op in trace.outputs)
        if end.shortest_from_input is not None and end.longest_from_input is not None
    ]
    return _joined(ways) or (0, 0)


def _all_edges(trace: Trace, count: Count) -> dict[int, list[tuple[int, Range]]]:
    ops = {op.index: op for op in trace.forward}
    entered = residual_branches(trace) if count == "modules" else {}
    length = LENGTHS[count]
    return {
        index: _edges(op, ops, length(op), entered.get(index, frozenset()))
        for index, op in ops.items()
    }


def _reached(
    trace: Trace, edges: dict[int, list[tuple[int, Range]]], starts: set[int]
) -> dict[int, Range]:
    reached: dict[int, Range] = {}
    for op in trace.forward:
        ways = (_longer(reached[p], by) for p, by in edges[op.index] if p in reached)
        found = (0, 0) if op.index in starts else _joined(ways)
        if found is not None:
            reached[op.index] = found
    return reached


def _edges(
    op: Op, ops: dict[int, Op], length: int | None, entered: frozenset[int]
) -> list[tuple[int, Range]]:
    """The parents of an operator, and how much longer routes from there become in it."""
    if op.category == "create":
        return []
    if op.recurrence is None or length is None:
        step = length or 0
        return [(p, (step + (p in entered), step + (p in entered))) for p in set(op.parents)]
    edges = []
    for operand, writers in operands(op, ops):
        through = Growth(length, op.recurrence, operand).extremes()
        passes = state_passes(op.recurrence.cell, operand)
        found = _joined([*([through] if through else []), *([(0, 0)] if passes else [])])
        edges += [(writer, found) for writer in writers if found]
    return edges


def _joined(ranges: Iterable[Range]) -> Range | None:
    together = list(ranges)
    if not together:
        return None
    return min(low for low, _ in together), max(high for _, high in together)


def _longer(reached: Range, by: Range) -> Range:
    return reached[0] + by[0], reached[1] + by[1]
