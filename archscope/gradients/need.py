"""How much memory a decomposition takes, and how many slots fit at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from archscope.errors import ArchscopeError
from archscope.machine import memory_available
from archscope.trace.records import Trace

GIB = 2**30


@dataclass(frozen=True)
class Need:
    """Bytes for what the forward pass keeps and for each slot, and the slots that go at once."""

    kept: int
    per_slot: int
    slots: int
    at_once: int

    def __str__(self) -> str:
        whole = (self.kept + self.slots * self.per_slot) / GIB
        groups = -(-self.slots // self.at_once)
        now = (self.kept + self.at_once * self.per_slot) / GIB
        how = "at once" if groups == 1 else f"in {groups} groups of {self.at_once}, {now:.2f} GiB"
        return f"{self.slots} slots need about {whole:.2f} GiB; they go {how}"


def slots_at_once(trace: Trace, slots: int, limit: int | None) -> Need:
    """Choose how many slots go through a graph together.

    The gradients that are alive in a backward pass mirror the activations alive in a forward pass
    that keeps none of them; a batched kernel holds its input and its result laid out anew besides.

    Args:
        trace: an inference trace of one sample.
        slots: of the decomposition.
        limit: in bytes; half of what is free by default.

    Raises:
        ArchscopeError: not even one fits.
    """
    made = [storage for storage in trace.storages if storage.kind == "activation"]
    changes = [0] * (len(trace.ops) + 1)
    for storage in made:
        changes[max(storage.created_at, 0)] += storage.bytes
        if storage.freed_at is not None:
            changes[storage.freed_at] -= storage.bytes
    kept = sum(storage.bytes for storage in made)
    per_slot = max(2 * max(accumulate(changes)), 1)
    if limit is None:
        free = memory_available()
        limit = (8 * GIB if free is None else free) // 2
    fit = (limit - kept) // per_slot
    if fit < 1:
        raise ArchscopeError(
            f"the decomposition needs {(kept + per_slot) / GIB:.2f} GiB at least, "
            f"and {limit / GIB:.2f} GiB may be used"
        )
    return Need(kept, per_slot, slots, min(slots, fit))
