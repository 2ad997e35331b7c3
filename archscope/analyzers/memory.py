"""What is alive when: bytes over a run by kind, the peak, and each layer's part of it.

Bytes are those that the program asked for; what an allocator makes of them is in ``allocator``.
Every storage counts once, whoever shares it. An activation is *saved* from the first operator for
whose backward autograd keeps it, and *temporary* otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from archscope.analyzers.frames import frame
from archscope.analyzers.layers import Layer, layers
from archscope.arguments import checked, recorded
from archscope.trace.records import Op, Shape, Storage, Trace

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("weights", "buffers", "inputs", "gradients", "optimizer", "saved", "temporaries")
_KIND_OF = {
    "weight": "weights",
    "buffer": "buffers",
    "input": "inputs",
    "gradient": "gradients",
    "optimizer": "optimizer",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor that is alive at the peak. ``name`` is a weight's, or that of the layer it is of."""

    name: str
    kind: str
    bytes: int
    shape: Shape
    dtype: str


@dataclass(frozen=True, slots=True)
class Peak:
    """The moment of most bytes: during which operator, of what kinds, in which tensors."""

    bytes: int
    op: int  # -1 for a run without operators
    operator: str
    layer: str
    phase: str
    kinds: dict[str, int]  # every kind of KINDS
    tensors: tuple[Tensor, ...]  # all that are alive, the largest first

    @property
    def activations(self) -> int:
        """Bytes of the tensors that the run made, beside gradients and optimizer state."""
        return self.kinds["saved"] + self.kinds["temporaries"]


@checked(trace=recorded)
def memory(trace: Trace) -> pd.DataFrame:
    """Memory by layer: a row per layer call, in the order in which they ran.

    Args:
        trace: a run, in inference or training.

    Returns:
        ``path``, ``kind``, ``call``; ``output_bytes``, of the storages that the layer's forward
        pass made and left behind; ``weight_bytes``; ``saved_bytes``, what autograd keeps because
        of this layer and no earlier one, so that the column adds up; ``needed_bytes``, all that
        its backward reads beside weights and buffers, which neighbours share; ``peak_bytes``, what
        of this layer (its weights, their gradients and optimizer state, tensors that its forward
        and backward made) is alive at the peak, and ``peak_share`` of all that is.
    """
    return frame(layer_rows(trace))


def layer_rows(trace: Trace, rows: list[Layer] | None = None) -> list[dict[str, Any]]:
    """The rows of ``memory`` as dictionaries; ``rows`` are the trace's layers if at hand."""
    rows = layers(trace) if rows is None else rows
    first_saver = first_savers(trace)
    top = peak(trace)
    at_peak = _bytes_by_layer(trace, rows, top.op)
    return [
        {
            "path": row.path,
            "kind": row.kind,
            "call": row.call,
            "output_bytes": _made_and_left(trace, row),
            "weight_bytes": sum(parameter.bytes for parameter in row.parameters),
            "saved_bytes": saved_first(trace, row.forward, first_saver),
            "needed_bytes": _unique_bytes(trace, (s for op in row.forward for s in op.saved)),
            "peak_bytes": at_peak[i],
            "peak_share": at_peak[i] / top.bytes if top.bytes else 0.0,
        }
        for i, row in enumerate(rows)
    ]


def timeline(trace: Trace) -> pd.DataFrame:
    """Memory over the run: a row per operator, a column of bytes per kind, and ``total``."""
    curves = bytes_by_kind(trace)
    totals = bytes_alive(trace)
    return frame(
        [
            {
                "op": op.index,
                "operator": op.name,
                "phase": op.phase,
                "layer": op.module,
                **{kind: curves[kind][op.index] for kind in KINDS},
                "total": totals[op.index],
            }
            for op in trace.ops
        ]
    )


def bytes_by_kind(trace: Trace) -> dict[str, list[int]]:
    """Bytes alive during each operator, for every kind of ``KINDS``."""
    changes = {kind: [0] * (len(trace.ops) + 1) for kind in KINDS}
    first_saver = first_savers(trace)
    for storage in trace.storages:
        for kind, start, end in _spans(storage, first_saver, len(trace.ops)):
            changes[kind][start] += storage.bytes
            changes[kind][end] -= storage.bytes
    return {kind: list(accumulate(change))[:-1] for kind, change in changes.items()}


def bytes_alive(trace: Trace) -> list[int]:
    """Bytes alive during each operator of the run."""
    changes = [0] * (len(trace.ops) + 1)
    for storage in trace.storages:
        changes[max(storage.created_at, 0)] += storage.bytes
        if storage.freed_at is not None:
            changes[storage.freed_at] -= storage.bytes
    return list(accumulate(changes))[:-1]


def peak_bytes(trace: Trace) -> int:
    """Most bytes alive at once: weights, buffers, inputs and all else."""
    return max(bytes_alive(trace), default=0)


def peak(trace: Trace) -> Peak:
    """The first moment of most bytes, and what is alive then."""
    totals = bytes_alive(trace)
    if not totals:
        return Peak(0, -1, "", "", "", dict.fromkeys(KINDS, 0), ())
    index = totals.index(max(totals))
    op = trace.ops[index]
    first_saver = first_savers(trace)
    kinds = dict.fromkeys(KINDS, 0)
    tensors = []
    for storage in trace.storages:
        if _alive(storage, index):
            kind = _kind(storage, first_saver, index)
            kinds[kind] += storage.bytes
            name = _name(storage, trace)
            tensors.append(Tensor(name, kind, storage.bytes, storage.shape, storage.dtype))
    return Peak(
        bytes=totals[index],
        op=index,
        operator=op.name,
        layer=op.module,
        phase=op.phase,
        kinds=kinds,
        tensors=tuple(sorted(tensors, key=lambda tensor: -tensor.bytes)),
    )


def activations_by_need(trace: Trace) -> int:
    """The peak of activations if each was let go after the last operator that reads or writes it.

    What memory planners (Chen et al. 2016, arXiv:1604.06174, section 3) and papers' tables count;
    eager torch holds more, because the names of a program outlive their last use.
    """
    last_use: dict[int, int] = {}
    for op in trace.ops:
        last_use.update(dict.fromkeys((*op.reads, *op.writes), op.index + 1))
    changes = [0] * (len(trace.ops) + 1)
    for storage in trace.storages:
        if storage.kind == "activation":
            changes[max(storage.created_at, 0)] += storage.bytes
            changes[last_use.get(storage.index, max(storage.created_at, 0))] -= storage.bytes
    return max(accumulate(changes))


def saved_bytes(trace: Trace) -> int:
    """What autograd keeps of one forward pass: unique storages beside weights and buffers."""
    return _unique_bytes(trace, (s for op in trace.forward for s in op.saved))


def first_savers(trace: Trace) -> dict[int, int]:
    """Storage -> the first operator for whose backward autograd keeps it."""
    found: dict[int, int] = {}
    for op in trace.ops:
        for storage in op.saved:
            found.setdefault(storage, op.index)
    return found


def saved_first(trace: Trace, ops: Iterable[Op], first_saver: dict[int, int]) -> int:
    """Bytes that autograd keeps because of these operators and no earlier one."""
    return _unique_bytes(trace, (s for op in ops for s in op.saved if first_saver[s] == op.index))


# -- storages --------------------------------------------------------------------------------------


def _alive(storage: Storage, op: int) -> bool:
    return storage.created_at <= op and (storage.freed_at is None or op < storage.freed_at)


def _kind(storage: Storage, first_saver: dict[int, int], op: int) -> str:
    known = _KIND_OF.get(storage.kind)
    if known is not None:
        return known
    return "saved" if first_saver.get(storage.index, op + 1) <= op else "temporaries"


def _spans(
    storage: Storage, first_saver: dict[int, int], ops: int
) -> Iterable[tuple[str, int, int]]:
    """The kinds that a storage is of, one after the other: kind, first operator, end."""
    start = max(storage.created_at, 0)
    end = ops if storage.freed_at is None else storage.freed_at
    if storage.kind in _KIND_OF:
        return ((_KIND_OF[storage.kind], start, end),)
    saved = min(max(first_saver.get(storage.index, end), start), end)
    return (("temporaries", start, saved), ("saved", saved, end))


def _name(storage: Storage, trace: Trace) -> str:
    if storage.kind == "gradient" and storage.names:
        return f"{storage.names[0]}.grad"
    if storage.names:
        return storage.names[0]
    if storage.created_at < 0:
        return "before the run"
    op = trace.ops[storage.created_at]
    return op.module or op.name


def _unique_bytes(trace: Trace, storages: Iterable[int]) -> int:
    found = (trace.storages[index] for index in dict.fromkeys(storages))
    return sum(storage.bytes for storage in found if storage.kind not in ("weight", "buffer"))


# -- layers ----------------------------------------------------------------------------------------


def _made_and_left(trace: Trace, row: Layer) -> int:
    """Bytes of the new storages among a layer's outputs."""
    outputs = (trace.storages[index] for index in dict.fromkeys(row.output_storages) if index >= 0)
    is_input = row.kind == "Input"
    return sum(s.bytes for s in outputs if is_input or s.created_at >= row.first_op)


def _bytes_by_layer(trace: Trace, rows: list[Layer], op: int) -> list[int]:
    """Bytes alive during an operator, by the layer that they belong to."""
    row_of_op = {
        op.index: i
        for i, row in enumerate(rows)
        for op in (*row.forward, *row.backward, *row.recomputed)
    }
    row_of_parameter = {
        name: i
        for i, row in enumerate(rows)
        for parameter in row.parameters
        for name in parameter.names
    }
    row_of_module = {row.module: i for i, row in reversed(list(enumerate(rows)))}
    found: defaultdict[int, int] = defaultdict(int)
    for storage in trace.storages:
        if not _alive(storage, op):
            continue
        names = [n.rpartition(".")[0] if storage.kind == "optimizer" else n for n in storage.names]
        owner = next((row_of_parameter[name] for name in names if name in row_of_parameter), None)
        if owner is None and storage.kind == "buffer" and storage.names:
            owner = row_of_module.get(storage.names[0].rpartition(".")[0])
        if owner is None and storage.kind == "input":
            owner = next((row_of_op[w] for w in _writers(trace, storage) if w in row_of_op), None)
        if owner is None:
            owner = row_of_op.get(storage.created_at)
        if owner is not None:
            found[owner] += storage.bytes
    return [found[i] for i in range(len(rows))]


def _writers(trace: Trace, storage: Storage) -> Iterable[int]:
    return (op.index for op in trace.ops if op.category == "input" and storage.index in op.writes)
