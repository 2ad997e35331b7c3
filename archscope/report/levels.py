"""The lines of a table: a line per layer call, per block, or per operator.

Whatever the level, a line's ``values`` have the columns of ``Report.rows``, and every column adds
up to the same total.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from archscope.analyzers.layers import Layer
from archscope.analyzers.memory import saved_first
from archscope.analyzers.parameters import parameter_columns
from archscope.errors import ArchscopeError
from archscope.report.blocks import blocks
from archscope.report.numbers import exact
from archscope.trace.records import Op, Parameter, Recurrence, elements

if TYPE_CHECKING:
    from archscope.report.report import Report

Level = Literal["layer", "block", "op"]
LEVELS: tuple[str, ...] = get_args(Level)

# What is counted, and therefore adds up.
COUNTED = (
    "activations",
    "output_bytes",
    "saved_bytes",
    "params",
    "trainable_params",
    "weights",
    "biases",
    "weight_bytes",
    "macs",
    "flops",
    "backward_macs",
    "backward_flops",
    "recomputed_macs",
    "recomputed_flops",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it is called, its numbers, and remarks that stand below it."""

    label: str
    values: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()  # parameters that it uses and an earlier line counts
    uncounted: bool = False  # it has operators without a cost formula


def lines(report: Report, level: str = "layer") -> list[Line]:
    """The lines of a report, the inputs first.

    Args:
        report: the analysis.
        level: "layer" has a line per layer call; "block" one per block, such as a residual block
            or an inception module, equal neighbours in one line; "op" one per operator.

    Raises:
        ArchscopeError: there is no such level.
    """
    if level == "layer":
        found = list(map(_layer_line, report.layer_records, report.rows))
    elif level == "block":
        found = list(_block_lines(report))
    elif level == "op":
        found = list(_op_lines(report))
    else:
        raise ArchscopeError(f"unknown level '{level}'; it is one of {', '.join(LEVELS)}")
    return found + _outside(report, found)


# -- layers ----------------------------------------------------------------------------------------


def _layer_line(layer: Layer, row: Mapping[str, Any]) -> Line:
    return Line(
        label=_layer_label(layer),
        values=row,
        remarks=tuple(_recurrence(op, op.recurrence) for op in layer.forward if op.recurrence),
        shared=tuple(name for name in layer.shares if name.rpartition(".")[0] != layer.path),
        uncounted=not all(op.known for op in layer.forward + layer.backward + layer.recomputed),
    )


def _layer_label(layer: Layer) -> str:
    label = layer.path or layer.kind  # the model itself has no path
    if layer.call == 0:
        return f"{label} (not used)"
    if layer.call == 1:
        return label
    return (
        f"{label} (again, call {layer.call})" if label == layer.module else f"{label} #{layer.call}"
    )


def _recurrence(op: Op, went: Recurrence) -> str:
    """The cost of a step of one sequence, and how many there were."""
    per_step = op.macs / went.products if went.products else 0
    cost = f"per step {per_step:,.0f} MACs x {exact(went.products)} steps"
    if went.products == went.steps:
        return cost
    return f"{cost}, up to {exact(went.steps)} in a sequence"


# -- blocks ----------------------------------------------------------------------------------------


def _block_lines(report: Report) -> Iterator[Line]:
    """A line per block; neighbours of one class, size and cost in one line."""
    run: list[_Group] = []
    for group in _groups(report):
        if run and not group.equals(run[-1]):
            yield _block_line(run)
            run = []
        run.append(group)
    if run:
        yield _block_line(run)


@dataclass(slots=True)
class _Group:
    """The lines of one block; a layer outside all blocks is a group of its own."""

    path: str  # of the block; "" for a layer by itself
    kind: str
    calls: int
    lines: list[Line]

    def total(self, column: str) -> int:
        return sum(line.values[column] for line in self.lines)

    def equals(self, other: _Group) -> bool:
        return bool(self.path) and self._signature() == other._signature()

    def _signature(self) -> tuple[Any, ...]:
        sizes = self.lines[-1].values["output_shape"]
        return self.kind, self.calls, sizes, *map(self.total, COUNTED)


def _groups(report: Report) -> Iterable[_Group]:
    trace = report.trace
    block_of = blocks(trace, [layer.module for layer in report.layer_records])
    groups: dict[str, _Group] = {}
    for index, (layer, row) in enumerate(zip(report.layer_records, report.rows, strict=True)):
        path = block_of.get(layer.module, "")
        line = _layer_line(layer, row)
        if not path:
            groups[f"{index}"] = _Group("", layer.kind, 1, [line])
        elif path in groups:
            groups[path].lines.append(line)
        else:
            calls = sum(call.path == path and call.phase == "forward" for call in trace.calls)
            groups[path] = _Group(path, trace.modules[path], calls, [line])
    return groups.values()


def _block_line(run: Sequence[_Group]) -> Line:
    first, last = run[0], run[-1]
    if not first.path:
        return first.lines[0]
    inside = [line for group in run for line in group.lines]
    values = dict(first.lines[0].values) | {
        "path": _range([group.path for group in run]),
        "kind": first.kind,
        "call": first.calls,
        "output_shape": last.lines[-1].values["output_shape"],
        "formula": "",
        "shared": ", ".join(dict.fromkeys(filter(None, (x.values["shared"] for x in inside)))),
    }
    for column in COUNTED:
        values[column] = sum(group.total(column) for group in run)
    values["macs_share"] = sum(line.values["macs_share"] for line in inside)
    times = f" x {len(run)}" if len(run) > 1 else ""
    times += "" if any(line.values["call"] for line in inside) else " (not used)"
    again = (f"called {first.calls} times",) if first.calls > 1 else ()
    prefixes = tuple(f"{group.path}." for group in run)
    shared = dict.fromkeys(name for line in inside for name in line.shared)
    return Line(
        label=f"{values['path']}{times}",
        values=values,
        remarks=again + tuple(dict.fromkeys(text for line in inside for text in line.remarks)),
        shared=tuple(name for name in shared if not name.startswith(prefixes)),
        uncounted=any(line.uncounted for line in inside),
    )


def _range(paths: Sequence[str]) -> str:
    """conv4_x.1 ... conv4_x.35 are conv4_x.1-35."""
    first, last = paths[0], paths[-1]
    if first == last:
        return first
    parent, _, name = first.rpartition(".")
    other, _, end = last.rpartition(".")
    begun, ended = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(end)
    if parent == other and begun and ended and begun[1] == ended[1]:
        return f"{first}-{ended[2]}"
    return f"{first} to {end if parent == other else last}"


_NUMBERED = re.compile(r"(.*?)(\d+)")


# -- operators -------------------------------------------------------------------------------------


def _op_lines(report: Report) -> Iterator[Line]:
    """A line per operator in the order of the run; a parameter counts where it is first used."""
    trace = report.trace
    unlisted = {parameter.name: parameter for parameter in trace.parameters}
    for op in trace.ops:
        held = [unlisted.pop(name) for name in op.parameters if name in unlisted]
        yield Line(
            label=_op_label(op, trace.model),
            values=_op_values(op, held, report),
            remarks=(_recurrence(op, op.recurrence),) if op.recurrence else (),
            uncounted=not op.known,
        )
    for module, held in _by_module(unlisted.values()).items():
        values = _values({"path": module or held[0].name, "kind": "parameters"}, held)
        yield Line(f"{values['path']} (not used)", values)


def _op_label(op: Op, model: str) -> str:
    phase = "" if op.phase == "forward" else f" ({'again, ' if op.recomputed else ''}{op.phase})"
    return f"{op.module or model}{phase}" if op.category != "input" else "input"


def _op_values(op: Op, held: Sequence[Parameter], report: Report) -> dict[str, Any]:
    trace = report.trace
    results = [
        elements(shape)
        for storage, shape in zip(op.writes, op.output_shapes, strict=True)
        if trace.storages[storage].created_at == op.index or op.category == "input"
    ]
    forward = op.phase == "forward"
    prefix = "" if forward else "recomputed_" if op.recomputed else "backward_"
    return _values(
        {
            "path": op.module,
            "kind": "Input" if op.category == "input" else op.name,
            "call": 1,
            "input_shape": op.input_shapes[0] if op.input_shapes else (),
            "output_shape": op.output_shapes[0] if op.output_shapes else (),
            "activations": sum(results) if forward else 0,
            "output_bytes": op.bytes_written,
            "saved_bytes": saved_first(trace, (op,) if forward else (), report.first_savers),
            f"{prefix}macs": op.macs if op.phase != "optimizer" else 0,
            f"{prefix}flops": op.flops if op.phase != "optimizer" else 0,
            "macs_share": op.macs / trace.macs if forward and trace.macs else 0.0,
        },
        held,
    )


def _by_module(parameters: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    found: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        found.setdefault(parameter.module, []).append(parameter)
    return found


# -- all levels ------------------------------------------------------------------------------------


def _outside(report: Report, found: Sequence[Line]) -> list[Line]:
    """What ran outside every layer, so that each column adds up to its total."""
    missing = {
        column: total - sum(line.values[column] for line in found)
        for column, total in report.sums.items()
        if column in COUNTED and column != "activations"
    }
    if not any(missing.values()):
        return []
    values = _values({"path": "", "kind": ""} | missing, ())
    return [Line("(outside every layer)", values)]


def _values(known: Mapping[str, Any], held: Sequence[Parameter]) -> dict[str, Any]:
    """All columns of ``Report.rows`` from those that are known and the parameters held."""
    holder = Layer("", "", 1, "", 0, (), (), parameters=list(held))
    blank: dict[str, Any] = {"path": "", "kind": "", "call": 0, "input_shape": ()}
    blank |= {"output_shape": (), "activations": 0, "output_bytes": 0, "saved_bytes": 0}
    costs = dict.fromkeys((name for name in COUNTED if "macs" in name or "flops" in name), 0)
    return blank | parameter_columns(holder) | costs | {"macs_share": 0.0} | dict(known)
