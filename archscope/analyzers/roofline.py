"""The roofline (Williams, Waterman, Patterson 2009): the least time of every layer on a device.

An operator takes at least as long as its arithmetic at the device's peak rate, as its compulsory
memory traffic at the peak bandwidth, and as one launch::

    t >= max(2 macs / P_product + (flops - 2 macs) / P_vector,  bytes / B,  launch)

Compulsory traffic reads every operand once and writes every result once. Operators run one after
the other, as in eager torch: what a compiler would fuse goes through memory here.

Of a published card only the main memory's B is known. A cache that still holds a layer's input
from the layer before then makes the layer faster than this "least" time: what a layer reaches of
its roof may be more than all of it. A calibrated device has a second B, that of its caches, for
operators that touch no more than the last of them holds; there the least time is a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from archscope.analyzers.frames import frame
from archscope.analyzers.layers import layers
from archscope.arguments import checked, device_or_name, flag, recorded
from archscope.calibrated import device_named
from archscope.devices import Device
from archscope.trace.records import Op, Trace

if TYPE_CHECKING:
    import pandas as pd

Bound = Literal["compute", "memory", "launch"]
BOUNDS: tuple[Bound, ...] = ("compute", "memory", "launch")

_DTYPES = {
    "float64": "fp64",
    "complex128": "fp64",
    "float32": "fp32",
    "complex64": "fp32",
    "bfloat16": "bf16",
    "float16": "fp16",
}

# They ask the allocator for memory and start no kernel.
_ALLOCATIONS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What some operators cost a device at least; bytes are compulsory traffic, times in s."""

    macs: int
    flops: int
    bytes: int
    compute: float
    memory: float
    launch: float
    time: float
    bound: Bound | None

    @property
    def intensity(self) -> float:
        """FLOP per byte of compulsory traffic."""
        return self.flops / self.bytes if self.bytes else 0.0


@checked(trace=recorded, device=device_or_name, tf32=flag)
def roofline(trace: Trace, device: str | Device, *, tf32: bool = False) -> pd.DataFrame:
    """The least time of every layer on a device that need not be at hand.

    Args:
        trace: the trace of a model; its dtypes choose the ceilings.
        device: the name of a card ("h100"), "cpu" or "cuda" for the ceilings that were calibrated
            on the device at hand, or a ``Device``.
        tf32: matrix products of float32 run on tensor cores, in TF32.

    Returns:
        A row per layer call: ``flops``; ``bytes`` of compulsory traffic; ``intensity`` in FLOP/B;
        ``attainable_gflops``, the rate that the device allows at that intensity; ``bound``
        ("compute", "memory" or "launch"); ``least_ms``; and ``share`` of the whole. In training
        a row includes its backward pass. ``attrs`` has the whole in "totals", and "model",
        "batch", "mode", "device" (a ``Device``) and "dtype" (of most of the arithmetic).

    Raises:
        UnknownName: there is no such device.
        InvalidInput: the device at hand was not calibrated.
    """
    card = _card(device)
    found = frame(roofline_rows(trace, card, tf32=tf32))
    found.attrs.update(
        model=trace.model,
        batch=trace.batch,
        mode=trace.mode,
        device=card,
        dtype=dtype_of(trace, tf32=tf32),
        totals=roofline_totals(trace, card, tf32=tf32),
    )
    return found


def dtype_of(trace: Trace, *, tf32: bool = False) -> str:
    """The dtype of most of a run's arithmetic: "fp32", "bf16"."""
    flops: dict[str, int] = {}
    for op in trace.ops:
        name = _DTYPES.get(op.dtype, "fp32")
        flops[name] = flops.get(name, 0) + op.flops
    found = max(flops, key=flops.__getitem__, default="fp32")
    return "tf32" if tf32 and found == "fp32" else found


def roofline_rows(
    trace: Trace, device: str | Device, *, tf32: bool = False
) -> list[dict[str, Any]]:
    """The rows of ``roofline``."""
    card = _card(device)
    whole = estimate(trace.ops, card, tf32=tf32).time
    rows = []
    for label, ops in _parts(trace):
        cost = estimate(ops, card, tf32=tf32)
        if cost.bound is not None:
            rows.append({**label, **_columns(cost), "share": cost.time / whole})
    return rows


def _parts(trace: Trace) -> Iterator[tuple[dict[str, Any], Sequence[Op]]]:
    """The operators of every layer, then those of none: the optimizer's, gradients added up."""
    known: set[int] = set()
    for row in layers(trace):
        ops = [*row.forward, *row.recomputed, *row.backward]
        known.update(op.index for op in ops)
        yield {"path": row.path, "kind": row.kind, "call": row.call}, ops
    rest = [op for op in trace.ops if op.index not in known]
    yield {"path": "(no layer)", "kind": "", "call": 1}, rest


def roofline_totals(trace: Trace, device: str | Device, *, tf32: bool = False) -> dict[str, Any]:
    """The whole run: the columns of ``roofline``, and ``bound_ms``, the time under each bound.

    It includes operators that belong to no layer, such as the optimizer's.
    """
    card = _card(device)
    estimates = [estimate([op], card, tf32=tf32) for op in trace.ops]
    by_bound = dict.fromkeys(BOUNDS, 0.0)
    for cost in estimates:
        if cost.bound is not None:
            by_bound[cost.bound] += 1e3 * cost.time
    return _columns(estimate(trace.ops, card, tf32=tf32)) | {"bound_ms": by_bound}


def estimate(ops: Iterable[Op], device: Device, *, tf32: bool = False) -> Estimate:
    """What operators that run one after the other cost at least.

    The bound is the one under which most of that time is spent; None when nothing ran.
    """
    ran = [op for op in ops if op.category != "input" and op.name not in _ALLOCATIONS]
    parts = [limits(op, device, tf32=tf32) for op in ran]
    spent = dict.fromkeys(BOUNDS, 0.0)
    for part in parts:
        bound = _largest(part)
        spent[bound] += part[bound]
    return Estimate(
        macs=sum(op.macs for op in ran),
        flops=sum(op.flops for op in ran),
        bytes=sum(op.bytes_read + op.bytes_written for op in ran),
        compute=sum(part["compute"] for part in parts),
        memory=sum(part["memory"] for part in parts),
        launch=sum(part["launch"] for part in parts),
        time=sum(spent.values()),
        bound=_largest(spent) if parts else None,
    )


def _largest(times: Mapping[Bound, float]) -> Bound:
    return max(BOUNDS, key=lambda bound: times[bound])


def limits(op: Op, device: Device, *, tf32: bool = False) -> dict[Bound, float]:
    """Seconds that an operator takes at least under each bound."""
    dtype = _DTYPES.get(op.dtype, "fp32")
    products, traffic = 2 * op.macs, op.bytes_read + op.bytes_written
    rate = device.product_rate("tf32" if tf32 and dtype == "fp32" else dtype)
    return {
        "compute": products / rate + max(op.flops - products, 0) / device.vector_rate(dtype),
        "memory": traffic / device.bandwidth_for(traffic),
        "launch": device.launch,
    }


def _columns(cost: Estimate) -> dict[str, Any]:
    # Without launches: the height of the roof above this intensity, for this mix of operations.
    busy = max(cost.compute, cost.memory)
    return {
        "macs": cost.macs,
        "flops": cost.flops,
        "bytes": cost.bytes,
        "intensity": cost.intensity,
        "attainable_gflops": cost.flops / busy / 1e9 if busy else 0.0,
        "bound": cost.bound,
        "least_ms": 1e3 * cost.time,
    }


def _card(device: str | Device) -> Device:
    return device_named(device) if isinstance(device, str) else device
