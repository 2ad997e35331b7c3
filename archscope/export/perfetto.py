"""The run as a Chrome trace, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

Nothing was timed, so the axis is work: a microsecond stands for 100,000 floating-point operations
or bytes moved, whichever is more. Every operator takes whole microseconds, one at least: readers
round to nanoseconds, and drop a slice that then ends after the one around it.
"""

from __future__ import annotations

from typing import Any

from archscope.analyzers.memory import bytes_alive
from archscope.trace.records import ModuleCall, Op, Trace

WORK_PER_MICROSECOND = 100_000  # FLOPs, or bytes
_PROCESS = {"pid": 1, "tid": 1}


def trace_events(trace: Trace) -> dict[str, Any]:
    """The JSON object of a trace: nested slices of modules and operators, and bytes alive.

    The format is Google's "Trace Event Format": complete events ("X") for slices, counters ("C")
    for memory, metadata ("M") for names.
    """
    starts = [0]
    for op in trace.ops:
        starts.append(starts[-1] + _width(op))
    alive = bytes_alive(trace)
    events: list[dict[str, Any]] = [
        _named("process_name", trace.model),
        _named("thread_name", f"{trace.mode}, batch {trace.batch}"),
    ]
    events += [_module(call, trace, starts) for call in trace.calls if call.first_op < call.end_op]
    events += [_operator(op, starts) for op in trace.ops]
    events += [
        {**_PROCESS, "name": "bytes alive", "ph": "C", "ts": start, "args": {"bytes": count}}
        for start, count in zip(starts, alive, strict=False)
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "model": trace.model,
            "axis": "work, not time: 1 us = 1e5 FLOPs or 1e5 bytes, whichever is more",
        },
    }


def _width(op: Op) -> int:
    work = max(op.flops, op.bytes_read + op.bytes_written)
    return max(round(work / WORK_PER_MICROSECOND), 1)


def _module(call: ModuleCall, trace: Trace, starts: list[int]) -> dict[str, Any]:
    ops = trace.ops[call.first_op : call.end_op]
    costs = {"macs": sum(op.macs for op in ops), "flops": sum(op.flops for op in ops)}
    return {
        **_PROCESS,
        "name": f"{call.path or trace.model} ({call.kind})",
        "cat": "module",
        "ph": "X",
        "ts": starts[call.first_op],
        "dur": starts[call.end_op] - starts[call.first_op],
        "args": {"call": call.call, "settings": call.detail, **costs},
    }


def _operator(op: Op, starts: list[int]) -> dict[str, Any]:
    return {
        **_PROCESS,
        "name": op.name,
        "cat": op.phase,
        "ph": "X",
        "ts": starts[op.index],
        "dur": starts[op.index + 1] - starts[op.index],
        "args": {
            "module": op.module,
            "inputs": ["x".join(map(str, shape)) for shape in op.input_shapes],
            "outputs": ["x".join(map(str, shape)) for shape in op.output_shapes],
            "dtype": op.dtype,
            "macs": op.macs,
            "flops": op.flops,
            "bytes_read": op.bytes_read,
            "bytes_written": op.bytes_written,
            "parameters": ", ".join(op.parameters),
        },
    }


def _named(what: str, name: str) -> dict[str, Any]:
    return {**_PROCESS, "name": what, "ph": "M", "args": {"name": name}}
