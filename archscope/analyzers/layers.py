"""The layers of a trace: one row per call of a leaf module, one per operator between them.

A leaf is a module during whose call no other module ran, so ``nn.MultiheadAttention`` is one. An
operator that a container executes itself, such as the addition of a residual block, is a layer of
its own, named after the operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field

from archscope.trace.records import ModuleCall, Op, Parameter, Shape, Trace, elements


@dataclass(slots=True)
class Layer:
    """One row: what ran, and the operators that it ran."""

    path: str
    kind: str
    call: int  # 1 for the first call; 0 for a module that was never called
    module: str
    first_op: int
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    output_storages: tuple[int, ...] = ()  # of each output; -1 for one that is not known
    detail: str = ""
    forward: list[Op] = field(default_factory=list)
    backward: list[Op] = field(default_factory=list)
    recomputed: list[Op] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)  # parameters that an earlier row lists

    @property
    def input_shape(self) -> Shape:
        return self.input_shapes[0] if self.input_shapes else ()

    @property
    def output_shape(self) -> Shape:
        return self.output_shapes[0] if self.output_shapes else ()


def layers(trace: Trace) -> list[Layer]:
    """The rows of a trace in the order in which they ran, the model's inputs first."""
    rows: list[Layer] = []
    of_op: dict[int, Layer] = {}
    of_call = {call.index: _called(call) for call in _leaf_calls(trace)}
    had = {storage for op in trace.forward for storage in op.reads}
    had |= {storage for call in trace.calls for storage in call.output_storages}
    rows.extend(of_call.values())
    for op in reversed(trace.forward):  # a step comes before the operator that it belongs to
        row = of_call.get(op.call) or of_op.get(op.within)
        if row is None:
            row = _single(op, trace, had)
            rows.append(row)
        row.first_op = min(row.first_op, op.index)
        row.forward.append(op)
        of_op[op.index] = row
    for row in rows:
        row.forward.reverse()
    rows.sort(key=lambda row: (row.first_op, row.kind != "Input"))
    _number(rows)
    _attach_backward(trace, rows, of_op)
    _attach_parameters(trace, rows)
    return rows


def _leaf_calls(trace: Trace) -> Iterator[ModuleCall]:
    return (call for call in trace.calls if call.leaf and call.phase == "forward")


def _called(call: ModuleCall) -> Layer:
    return Layer(
        path=call.path,
        kind=call.kind,
        call=call.call,
        module=call.path,
        first_op=call.first_op,
        input_shapes=call.input_shapes,
        output_shapes=call.output_shapes,
        output_storages=call.output_storages,
        detail=call.detail,
    )


def _single(op: Op, trace: Trace, had: Set[int]) -> Layer:
    """The layer that one operator is; ``had`` are storages that somebody read or returned."""
    results = [
        i for i, storage in enumerate(op.writes) if i == 0 or _is_result(storage, op, trace, had)
    ]
    return Layer(
        path=_path(op, trace),
        kind=_kind(op),
        call=1,
        module=op.module,
        first_op=op.index,
        input_shapes=op.input_shapes,
        output_shapes=tuple(op.output_shapes[i] for i in results),
        output_storages=tuple(op.writes[i] for i in results),
    )


def _kind(op: Op) -> str:
    return "Input" if op.category == "input" else op.name.rstrip("_")


def _path(op: Op, trace: Trace) -> str:
    if op.category == "input":
        name = trace.storages[op.writes[0]].names[0]
        return f"input.{name}" if len(trace.inputs) > 1 else "input"
    return f"{op.module}.{_kind(op)}" if op.module else _kind(op)


def _is_result(storage: int, op: Op, trace: Trace, had: Set[int]) -> bool:
    """Whether the program has it: statistics and indices of a kernel die with it, or are kept by
    autograd alone."""
    if storage in op.saved and storage not in had:
        return False
    freed_at = trace.storages[storage].freed_at
    return freed_at is None or freed_at > op.index + 1


def _number(rows: Sequence[Layer]) -> None:
    """Operators of one kind in one module are told apart by number, as calls are."""
    times: dict[str, int] = {}
    for row in rows:
        if row.path != row.module:
            row.call = times[row.path] = times.get(row.path, 0) + 1


def _attach_backward(trace: Trace, rows: Sequence[Layer], of_op: dict[int, Layer]) -> None:
    by_path = {}
    for row in reversed(rows):
        by_path[row.path] = row
    for op in trace.ops:
        if op.phase != "backward":
            continue
        if op.recomputed:
            whole = trace.ops[op.within] if op.within >= 0 else op
            found = by_path.get(op.module) or by_path.get(_path(whole, trace))
            if found is not None:
                found.recomputed.append(op)
                of_op[op.index] = found
        elif op.forward_op in of_op:
            of_op[op.forward_op].backward.append(op)


def _attach_parameters(trace: Trace, rows: list[Layer]) -> None:
    """Every parameter once: on the first row of its module, or of whoever uses it, or on its own.

    Rows that use a parameter which an earlier row lists say so in ``shares``.
    """
    first_call: dict[str, Layer] = {}
    users: dict[str, list[Layer]] = {}
    for row in rows:
        if row.path == row.module:
            first_call.setdefault(row.path, row)
        for op in row.forward:
            for name in op.parameters:
                if not users.setdefault(name, []) or users[name][-1] is not row:
                    users[name].append(row)
    unused: dict[str, Layer] = {}
    for parameter in trace.parameters:
        using = users.get(parameter.name, [])
        owner = first_call.get(parameter.module) or (using[0] if using else None)
        if owner is None:
            owner = unused.get(parameter.module)
        if owner is None:
            owner = unused[parameter.module] = _unused(parameter, trace)
            rows.append(owner)
        owner.parameters.append(parameter)
        for row in using:
            if row is not owner:
                row.shares.append(parameter.name)


def _unused(parameter: Parameter, trace: Trace) -> Layer:
    kind = trace.modules.get(parameter.module, "Parameter")
    return Layer(
        path=parameter.module or parameter.name,
        kind=kind,
        call=0,
        module=parameter.module,
        first_op=len(trace.ops),
        input_shapes=(),
        output_shapes=(),
    )


def new_elements(row: Layer, trace: Trace) -> int:
    """Elements that the layer's output occupies anew: its activations.

    An in-place layer rewrites its input and a view shows it differently; neither makes anything.
    """
    if row.kind == "Input":
        return sum(map(elements, row.output_shapes))
    return sum(_made(row, trace).values())


def new_bytes(row: Layer, trace: Trace) -> int:
    """The memory of the storages that hold the layer's activations."""
    made = row.output_storages if row.kind == "Input" else _made(row, trace)
    return sum(trace.storages[storage].bytes for storage in made)


def _made(row: Layer, trace: Trace) -> dict[int, int]:
    """Storages that the layer made for its output -> elements of the output in it."""
    sizes: dict[int, int] = {}
    for storage, shape in zip(row.output_storages, row.output_shapes, strict=True):
        if storage >= 0 and trace.storages[storage].created_at >= row.first_op:
            sizes[storage] = max(sizes.get(storage, 0), elements(shape))
    return sizes
