"""The routes of a trace: which weight layers follow which, so that routes can be counted exactly.

The graph is the one that ran: its nodes are the forward operators, its edges the data that one
reads of another. A route is told by the steps that it takes, in order: by the weight layers, when
these are counted. What lies between two of them (the square and the sum of a normalisation, a
gate, a pooling) makes no second route.

The graph is reduced once to nodes of three kinds: a start (an input of the model), a step, and a
meeting of branches. One pass over the nodes then sums anything over all routes that adds where
branches meet: their number, the distribution of their lengths, its moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

from archscope.analyzers.unrolled import STATES, Growth, state_passes
from archscope.trace.records import Op, Trace

Count = Literal["layers", "modules", "ops", "macs"]
COUNTS: tuple[Count, ...] = ("layers", "modules", "ops", "macs")


@dataclass(frozen=True, slots=True)
class Node:
    """``parts`` are the nodes whose routes go on here; those of ``twice`` are in two of the parts.

    ``growth`` tells how much longer the routes of each part become; it is empty at a meeting.
    """

    parts: tuple[int, ...] = ()
    twice: tuple[int, ...] = ()
    growth: tuple[Growth, ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    """Nodes in the order of the run; ``end`` is the model's output, -1 if no input reaches it."""

    nodes: tuple[Node, ...]
    end: int


Value = TypeVar("Value")


class Measure(Protocol[Value]):
    """Something that can be summed over routes."""

    def start(self) -> Value:
        """One route of length 0."""

    def step(self, routes: Value, growth: Growth) -> Value:
        """Every route goes on and grows."""

    def meet(self, parts: list[Value], twice: list[Value]) -> Value:
        """All routes of all parts; those of ``twice`` were in two of them."""


def total(routes: Routes, measure: Measure[Value]) -> Value | None:
    """The measure over all routes from inputs to output, None where there is no route."""
    if routes.end < 0:
        return None
    values: list[Value] = []
    for node in routes.nodes:
        if not node.parts:
            values.append(measure.start())
            continue
        parts = [values[part] for part in node.parts]
        if node.growth:
            parts = [measure.step(part, by) for part, by in zip(parts, node.growth, strict=True)]
        plain = len(parts) == 1 and not node.twice
        twice = [values[source] for source in node.twice]
        values.append(parts[0] if plain else measure.meet(parts, twice))
    return values[routes.end]


def routes(trace: Trace, count: Count = "layers") -> Routes:
    """Reduce a trace to its routes.

    Args:
        trace: a trace of either mode; the forward pass is what counts.
        count: what a step is, and how long. "layers": a weight layer, 1. "modules": a weight
            layer tells routes apart and the branch of a residual block is 1 long (Veit et al.
            2016). "ops": an operator that computes, 1. "macs": an operator that multiplies, its
            multiply-accumulates.
    """
    builder = _Builder(trace.forward)
    entered = residual_branches(trace) if count == "modules" else {}
    length = LENGTHS[count]
    for op in trace.forward:
        builder.pass_through(op, length(op), entered.get(op.index, frozenset()))
    arrived = builder.meet([builder.arrived[op] for op in trace.outputs if op in builder.arrived])
    return Routes(tuple(builder.nodes), -1 if arrived is None else arrived.node)


def _of_layer(op: Op) -> int | None:
    return 1 if op.weight_layer else None


def _of_module(op: Op) -> int | None:
    return 0 if op.weight_layer else None


def _of_op(op: Op) -> int | None:
    return 1 if op.category == "compute" else None


def _of_macs(op: Op) -> int | None:
    return op.macs // cell_steps(op) if op.macs else None


def cell_steps(op: Op) -> int:
    """The cell steps of a recurrent operator: one per layer, direction and time step; else 1."""
    form = op.recurrence
    return form.steps * form.layers * form.directions if form else 1


def operands(op: Op, ops: Mapping[int, Op]) -> Iterator[tuple[str, list[int]]]:
    """The input and the initial state of a recurrent operator, and the parents that wrote them."""
    assert op.recurrence is not None
    names = ("input", *STATES[op.recurrence.cell])
    for name, storage in zip(names, op.reads, strict=False):
        yield name, [p for p in dict.fromkeys(op.parents) if storage in ops[p].writes]


# The length of an operator's step, None where it makes none.
LENGTHS: dict[Count, Callable[[Op], int | None]] = {
    "layers": _of_layer,
    "modules": _of_module,
    "ops": _of_op,
    "macs": _of_macs,
}


class _Arrived(NamedTuple):
    """What reaches an operator: the nearest starts and steps before it, one bit each, and the node
    with the routes through them."""

    nearest: int
    node: int


class _Builder:
    def __init__(self, ops: tuple[Op, ...]) -> None:
        self.nodes: list[Node] = []
        self.arrived: dict[int, _Arrived] = {}
        self._ops = {op.index: op for op in ops}
        self._sources: list[int] = []  # the node of each bit

    def pass_through(self, op: Op, length: int | None, entered: frozenset[int]) -> None:
        """Let the routes that reach an operator go on; ``entered`` are branches of length 1."""
        if op.category == "input":
            self.arrived[op.index] = self._source(Node())
            return
        if op.category == "create":  # zeros of an input's shape carry nothing of it
            return
        if op.recurrence and length is not None:
            reached = self._recurrent(op, length)
        else:
            reached = self.meet([self._along(p, entered) for p in op.parents if p in self.arrived])
            if reached is not None and length is not None:
                reached = self._source(Node((reached.node,), growth=(Growth(length),)))
        if reached is not None:
            self.arrived[op.index] = reached

    def _along(self, parent: int, entered: frozenset[int]) -> _Arrived:
        reached = self.arrived[parent]
        if parent not in entered:
            return reached
        return self._source(Node((reached.node,), growth=(Growth(1),)))

    def _source(self, node: Node) -> _Arrived:
        self._sources.append(self._added(node))
        return _Arrived(1 << (len(self._sources) - 1), self._sources[-1])

    def _added(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def meet(self, branches: list[_Arrived]) -> _Arrived | None:
        """Routes of all branches together; through a source that two of them share they count
        once."""
        nearest = 0
        parts: list[int] = []
        twice: list[int] = []
        for branch in branches:
            shared = nearest & branch.nearest
            if shared == branch.nearest:
                continue
            if shared == nearest:
                parts, twice = [branch.node], []
            else:
                parts.append(branch.node)
                twice += [self._sources[bit] for bit in _bits(shared)]
            nearest |= branch.nearest
        if not parts:
            return None
        if len(parts) == 1:
            return _Arrived(nearest, parts[0])
        return _Arrived(nearest, self._added(Node(tuple(parts), tuple(twice))))

    def _recurrent(self, op: Op, length: int) -> _Arrived | None:
        """A recurrent layer is its unrolled cells: what arrives at its input and at its initial
        state goes on in closed form, and a gated state passes by besides."""
        assert op.recurrence is not None
        parts: list[int] = []
        growth: list[Growth] = []
        passing: list[_Arrived] = []
        for operand, writers in operands(op, self._ops):
            reached = self.meet([self.arrived[p] for p in writers if p in self.arrived])
            if reached is None:
                continue
            parts.append(reached.node)
            growth.append(Growth(length, op.recurrence, operand))
            if state_passes(op.recurrence.cell, operand):
                passing.append(reached)
        if not parts:
            return None
        cells = self._source(Node(tuple(parts), growth=tuple(growth)))
        return self.meet([cells, *passing])


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


# -- residual blocks -------------------------------------------------------------------------------


def residual_branches(trace: Trace) -> dict[int, frozenset[int]]:
    """Additions that end a residual block -> those of their parents that are the block's branch.

    An addition ends one when, since the module that executes it was called, one operand passed
    more weight layers than the other: a shortcut passes none, or its projection.
    """
    ops = {op.index: op for op in trace.forward}
    adding: dict[int, list[Op]] = {}
    for op in trace.forward:
        if op.name.rstrip("_") == "add" and len(set(op.parents)) > 1:
            adding.setdefault(op.call, []).append(op)
    found: dict[int, frozenset[int]] = {}
    for call, additions in adding.items():
        first = trace.calls[call].first_op if call >= 0 else 0
        last = additions[-1].index
        passed: dict[int, int] = {}
        for index in range(first, last + 1):
            if index in ops:
                before = max((passed.get(p, 0) for p in ops[index].parents), default=0)
                passed[index] = before + ops[index].weight_layer
        for op in additions:
            depths = {p: passed.get(p, 0) for p in op.parents}
            deepest = max(depths.values())
            if min(depths.values()) < deepest:
                found[op.index] = frozenset(p for p, depth in depths.items() if depth == deepest)
    return found
