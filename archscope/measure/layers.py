"""Where a run spends its time, module by module, so that the parts add up to the whole.

A module's own time is what passes between entering and leaving it, without the modules that it
calls; operators that a container executes itself are the container's own time::

    whole |--- block ------------------------------------|  gap
          | own |- conv -| own |- norm -| own |- relu -|   (before and after the model)

On the CPU an operator is done when it returns, so no synchronisation is needed. The pass that is
shown is the median one: medians of every module apart would add up to no pass at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import nn

from archscope.errors import InvalidInput
from archscope.measure.devices import Cpu, Device
from archscope.measure.environment import versions
from archscope.measure.latency import trace_of
from archscope.measure.sampling import Rules, collect
from archscope.measure.settings import running
from archscope.measure.workload import Setting, network_and_run
from archscope.trace.records import Trace


@dataclass(slots=True)
class Clocked:
    """One module during one pass, in seconds."""

    calls: int = 0
    own: float = 0.0
    total: float = 0.0


@dataclass(slots=True)
class Pass:
    """One pass by module, and all of its time."""

    modules: dict[str, Clocked] = field(default_factory=dict)
    whole: float = 0.0

    @property
    def gap(self) -> float:
        """What passed outside of every module."""
        return self.whole - sum(one.own for one in self.modules.values())


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """The median pass, and the median of passes without clocks, in seconds."""

    shown: Pass
    undisturbed: float

    @property
    def slowdown(self) -> float:
        """By which the clocks made the pass longer: 0.02 is 2 %."""
        return self.shown.whole / self.undisturbed - 1


def layer_times(
    model: str | nn.Module,
    inputs: Any,
    *,
    batch: int,
    device: Device,
    setting: Setting,
    rules: Rules,
    options: dict[str, Any],
) -> LayerTimes:
    """Clock every module of a network; the arguments are those of ``latency``.

    Raises:
        InvalidInput: what has no modules that run one after the other.
    """
    setting.check(device)
    if device.name != "cpu" or setting.mode == "training" or setting.compile:
        raise InvalidInput("layers are clocked on the CPU only, in inference and not compiled")
    with running(tf32=False, threads=setting.threads):
        network, run = network_and_run(model, inputs, batch, device, setting, options)
        plain = collect(lambda: device.sample(run), device.now, rules)
        if plain.partial:
            raise KeyboardInterrupt
        passes = list(_passes(network, run, device, len(plain.taken)))
        # Again, so that neither kind of pass had the device at a better time.
        after = [device.sample(run).wall for _ in plain.taken]
    walls = [sample.wall for sample in plain.taken] + after
    ordered = sorted(passes, key=lambda one: one.whole)
    return LayerTimes(ordered[len(ordered) // 2], median(walls))


def layer_rows(times: LayerTimes, trace: Trace) -> list[dict[str, Any]]:
    """A row per module that has time of its own, the gap last; ``own_ms`` adds up to the whole."""
    flops: dict[str, int] = {}
    for op in trace.ops:
        flops[op.module] = flops.get(op.module, 0) + op.flops
    whole = times.shown.whole
    rows = []
    for path, one in times.shown.modules.items():
        work = flops.get(path, 0)
        rows.append(
            {
                "path": path or "(model)",
                "kind": trace.modules.get(path, ""),
                "calls": one.calls,
                "own_ms": 1e3 * one.own,
                "total_ms": 1e3 * one.total,
                "share": one.own / whole,
                "flops": work,
                "achieved_gflops": work / one.own / 1e9 if one.own else None,
            }
        )
    gap = times.shown.gap
    nothing = {"flops": 0, "achieved_gflops": None}
    gap_ms = {"own_ms": 1e3 * gap, "total_ms": 1e3 * gap, "share": gap / whole}
    return [*rows, {"path": "(gap)", "kind": "", "calls": 1, **gap_ms, **nothing}]


def layers_data(
    model: str,
    inputs: Any,
    *,
    batch: int,
    setting: Setting,
    max_seconds: float,
    options: dict[str, Any],
) -> dict[str, Any]:
    """``layer_rows`` of a reference on the CPU, its conditions, and how sure they are."""
    device = Cpu()
    setting.check(device)
    trace = trace_of(model, inputs, batch, device, setting, options)
    times = layer_times(
        model,
        inputs,
        batch=batch,
        device=device,
        setting=setting,
        rules=Rules(max_seconds=max_seconds),
        options=options,
    )
    return {
        "model": trace.model,
        "device": device.name,
        "device_title": device.title,
        "batch": trace.batch,
        "input_shape": trace.inputs[0][1] if trace.inputs else (),
        "dtype": setting.dtype,
        "threads": setting.threads or torch.get_num_threads(),
        "whole_ms": 1e3 * times.shown.whole,
        "undisturbed_ms": 1e3 * times.undisturbed,
        "slowdown": times.slowdown,
        **versions(),
        "layers": layer_rows(times, trace),
    }


def _passes(
    network: nn.Module, run: Callable[[], Any], device: Device, count: int
) -> Iterator[Pass]:
    for _ in range(max(count, 1)):
        found = Pass()
        with _clocks(network, device.now, found):
            start = device.now()
            run()
            found.whole = device.now() - start
        yield found


@contextmanager
def _clocks(network: nn.Module, now: Callable[[], float], found: Pass) -> Iterator[None]:
    """Clock every call of every module while inside."""
    stack: list[list[float]] = []  # of each call: when it began, how long its children took
    handles = []

    def enter(module: nn.Module, args: Any) -> None:
        stack.append([now(), 0.0])

    def leave_of(path: str) -> Callable[[nn.Module, Any, Any], None]:
        clocked = Clocked()

        def leave(module: nn.Module, args: Any, result: Any) -> None:
            began, inside = stack.pop()
            took = now() - began
            clocked.calls += 1
            clocked.own += took - inside
            clocked.total += took
            found.modules.setdefault(path, clocked)
            if stack:
                stack[-1][1] += took

        return leave

    try:
        for path, module in network.named_modules():
            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave_of(path)))
        yield
    finally:
        for handle in handles:
            handle.remove()
