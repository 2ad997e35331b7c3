"""Bytes that torch's allocator holds while a function runs, from ``torch.profiler``.

A kernel may take memory for itself and give it back before it returns: oneDNN a reordered copy of
weights or input, batch normalisation's backward a buffer of partial sums. Those are workspaces.
They belong to the kernel library, not to the model, so they are told apart: an allocation is a
workspace if one operator, as a dispatch mode sees operators, both made and freed it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch._C._profiler import _EventType
from torch.profiler import ProfilerActivity, profile

# Composite operators that archscope takes whole.
_WHOLE = {"lstm", "gru", "rnn_tanh", "rnn_relu", "scaled_dot_product_attention"}


@dataclass(frozen=True)
class Allocation:
    """Bytes taken (or given back, if negative), and the operators that were running."""

    time: int
    address: int
    bytes: int
    operators: tuple[tuple[int, str], ...]  # start time and name, outermost first


@dataclass(frozen=True)
class LiveBytes:
    """The peaks of one run, above what was alive before it."""

    peak: int  # everything that the allocator handed out
    peak_without_workspaces: int
    workspaces: dict[str, int]  # operator -> its largest workspace
    changes: tuple[int, ...]  # without workspaces, in order


def live_bytes(run: Callable[[], Any], device: str = "cpu") -> LiveBytes:
    """Run a function twice, the second time watched; of the memory of that kind of device."""
    run()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    del result
    tree = profiler.profiler.kineto_results.experimental_event_tree()
    found = _allocations(tree, (), device)
    events = _of_this_run(sorted(found, key=lambda event: event.time))
    workspace = _workspaces(events)
    changes = tuple(event.bytes for i, event in enumerate(events) if i not in workspace)
    named: Counter[str] = Counter()
    for (_, name), held in _held_at_once(events, workspace).items():
        named[name] = max(named[name], held)
    return LiveBytes(
        peak=_peak(event.bytes for event in events),
        peak_without_workspaces=_peak(changes),
        workspaces=dict(named.most_common()),
        changes=changes,
    )


def _allocations(
    tree: Any, running: tuple[tuple[int, str], ...], device: str
) -> Iterator[Allocation]:
    for event in tree:
        if event.tag == _EventType.Allocation:
            extra = event.extra_fields
            if extra.device.type == device:
                yield Allocation(event.start_time_ns, extra.ptr, extra.alloc_size, running)
            inside = running
        else:
            inside = (*running, (event.start_time_ns, event.name))
        yield from _allocations(event.children, inside, device)


def _of_this_run(events: list[Allocation]) -> list[Allocation]:
    """Without the release of what was allocated before the run."""
    alive: set[int] = set()
    kept = []
    for event in events:
        if event.bytes > 0:
            alive.add(event.address)
        elif event.address not in alive:
            continue
        else:
            alive.remove(event.address)
        kept.append(event)
    return kept


def _workspaces(events: list[Allocation]) -> dict[int, tuple[int, str]]:
    """The events that belong to workspaces, each with its operator."""
    alive: dict[int, int] = {}
    found: dict[int, tuple[int, str]] = {}
    for i, event in enumerate(events):
        if event.bytes > 0:
            alive[event.address] = i
            continue
        made = alive.pop(event.address)
        common = [
            operator
            for operator in events[made].operators
            if operator in event.operators and _is_one_operator(operator[1])
        ]
        if common:
            found[made] = found[i] = common[0]
    return found


@cache
def _is_one_operator(name: str) -> bool:
    """Whether a dispatch mode sees this operator whole."""
    base = name.removeprefix("aten::")
    packet = getattr(torch.ops.aten, base, None) if name.startswith("aten::") else None
    if packet is None or base in _WHOLE:
        return packet is not None
    composite = torch._C.DispatchKey.CompositeImplicitAutograd
    overloads = [getattr(packet, name).name() for name in packet.overloads()]
    return not all(
        torch._C._dispatch_has_kernel_for_dispatch_key(name, composite)
        for name in overloads
        if not name.endswith("out") and torch._C._dispatch_has_kernel(name)
    )


def _held_at_once(
    events: list[Allocation], workspace: dict[int, tuple[int, str]]
) -> dict[tuple[int, str], int]:
    held: Counter[tuple[int, str]] = Counter()
    most: dict[tuple[int, str], int] = {}
    for i, operator in sorted(workspace.items()):
        held[operator] += events[i].bytes
        most[operator] = max(most.get(operator, 0), held[operator])
    return most


def _peak(changes: Any) -> int:
    alive = most = 0
    for change in changes:
        alive += change
        most = max(most, alive)
    return most


logging.getLogger("torch").setLevel(logging.ERROR)
