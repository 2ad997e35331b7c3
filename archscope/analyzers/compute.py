"""What is computed: multiply-accumulates and floating-point operations by layer, call and operator.

The formulas are in ``archscope.trace.costs``. A training trace has a backward pass too, which
costs what ran: a frozen layer's weight has no gradient, a checkpointed layer runs its forward
pass again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from archscope.analyzers.frames import frame
from archscope.analyzers.layers import Layer, layers
from archscope.analyzers.parameters import identity
from archscope.arguments import checked, one_of, recorded
from archscope.trace.records import Op, Trace

if TYPE_CHECKING:
    import pandas as pd


@checked(trace=recorded, level=one_of("layer", "module", "op"))
def compute(trace: Trace, level: Literal["layer", "module", "op"] = "layer") -> pd.DataFrame:
    """Operations of every layer.

    Args:
        trace: the trace of a model.
        level: "layer" has a row per layer call; "module" a row per module with everything that
            ran inside it, so that containers include their children; "op" a row per operator.

    Returns:
        ``macs`` and ``flops`` of the forward pass; ``backward_macs``, ``backward_flops`` and
        ``recomputed_macs``, ``recomputed_flops`` of a training step (0 in inference); and
        ``macs_share``, the row's share of the forward multiply-accumulates.

    Raises:
        ValueError: an unknown level.
    """
    if level == "layer":
        rows = layers(trace)
        return frame([identity(row) | compute_columns(row, trace.macs) for row in rows])
    if level == "module":
        return frame(list(_module_rows(trace)))
    if level == "op":
        return frame(list(op_rows(trace)))
    raise ValueError(f"level '{level}' is not known; it is 'layer', 'module' or 'op'")


def compute_columns(row: Layer, total_macs: int) -> dict[str, Any]:
    """The columns of the compute analyzer for one layer."""
    macs = _macs(row.forward)
    return {
        "macs": macs,
        "flops": _flops(row.forward),
        "backward_macs": _macs(row.backward),
        "backward_flops": _flops(row.backward),
        "recomputed_macs": _macs(row.recomputed),
        "recomputed_flops": _flops(row.recomputed),
        "macs_share": macs / total_macs if total_macs else 0.0,
    }


def _module_rows(trace: Trace) -> Iterable[dict[str, Any]]:
    """Every module that ran, with all operators of all its calls."""
    totals: dict[str, list[int]] = {}
    for op in trace.ops:
        column = 2 * (("forward", "backward").index(op.phase) if op.phase != "optimizer" else 2)
        column = 4 if op.recomputed else column
        for path in _enclosing(trace, op.call):
            sums = totals.setdefault(path, [0] * 6)
            sums[column] += op.macs
            sums[column + 1] += op.flops
    calls: dict[str, int] = {}
    for call in trace.calls:
        calls[call.path] = calls.get(call.path, 0) + 1
    for path, count in calls.items():
        sums = totals.get(path, [0] * 6)
        yield {
            "path": path,
            "kind": trace.modules.get(path, ""),
            "calls": count,
            "macs": sums[0],
            "flops": sums[1],
            "backward_macs": sums[2],
            "backward_flops": sums[3],
            "recomputed_macs": sums[4],
            "recomputed_flops": sums[5],
            "macs_share": sums[0] / trace.macs if trace.macs else 0.0,
        }


def _enclosing(trace: Trace, call: int) -> set[str]:
    """The paths of a call and of all calls around it; recursion counts once."""
    paths = set()
    while call >= 0:
        paths.add(trace.calls[call].path)
        call = trace.calls[call].parent
    return paths


def op_rows(trace: Trace) -> Iterable[dict[str, Any]]:
    """A row per operator as it ran."""
    for op in trace.ops:
        yield {
            "index": op.index,
            "path": op.module,
            "op": op.name,
            "phase": op.phase,
            "input_shape": op.input_shapes[0] if op.input_shapes else (),
            "output_shape": op.output_shapes[0] if op.output_shapes else (),
            "dtype": op.dtype,
            "macs": op.macs,
            "flops": op.flops,
            "bytes_read": op.bytes_read,
            "bytes_written": op.bytes_written,
            "parameters": ", ".join(op.parameters),
            "known": op.known,
        }


@checked(trace=recorded)
def coverage(trace: Trace) -> dict[str, float]:
    """The share of operators and of output elements whose cost formula is known (1 = all)."""
    ops = [op for op in trace.ops if op.category != "input"]
    made = sum(op.output_elements for op in ops)
    known = [op for op in ops if op.known]
    return {
        "ops": len(known) / len(ops) if ops else 1.0,
        "elements": sum(op.output_elements for op in known) / made if made else 1.0,
    }


def uncovered(trace: Trace) -> list[Op]:
    """The operators that have no formula: their cost is not in any sum."""
    return [op for op in trace.ops if not op.known]


def _macs(ops: Iterable[Op]) -> int:
    return sum(op.macs for op in ops)


def _flops(ops: Iterable[Op]) -> int:
    return sum(op.flops for op in ops)
