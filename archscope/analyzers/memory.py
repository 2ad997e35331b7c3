"""What is alive when: bytes over the run, and the peak."""

from __future__ import annotations

from itertools import accumulate

from archscope.trace.records import Trace


def bytes_alive(trace: Trace) -> list[int]:
    """Bytes alive during each operator of the run."""
    changes = [0] * (len(trace.ops) + 1)
    for storage in trace.storages:
        changes[max(storage.created_at, 0)] += storage.bytes
        if storage.freed_at is not None:
            changes[storage.freed_at] -= storage.bytes
    return list(accumulate(changes))[: len(trace.ops)]


def peak_bytes(trace: Trace) -> int:
    """Most bytes alive at once: weights, buffers, inputs and all else."""
    return max(bytes_alive(trace), default=0)
