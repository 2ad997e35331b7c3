"""Where a run spends its time, module by module, so that the parts and a named gap are the whole.

Passes under the profiler alternate with passes without, so that both had the device at the same
times, and their ratio is what profiling costs. Only sums are kept of each pass. The one that is
shown is the median: medians of every module apart would add up to no pass at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import nn

from archscope.analyzers.roofline import estimate
from archscope.devices import Device as Card
from archscope.errors import ArchscopeError, InvalidInput, is_out_of_memory
from archscope.measure.attribution import CallKey, Events, Spent, Times, attribute
from archscope.measure.ceilings import card_at_hand
from archscope.measure.devices import Device, device_at_hand
from archscope.measure.environment import around, conditions, disturbance
from archscope.measure.failures import OutOfMemory, check_memory, failed, failures_told
from archscope.measure.latency import shape_of, trace_of
from archscope.measure.profiling import profiled_pass
from archscope.measure.progress import Paced, Progress
from archscope.measure.sampling import Rules, Samples, collect
from archscope.measure.settings import running
from archscope.measure.workload import Setting, network_and_run
from archscope.trace.records import Op, Trace

PASSES = 25
_LEAST_PASSES = 3
OUTSIDE, GAPS = "(outside modules)", ("(launch)", "(host)", "(idle)")

Profiler = Callable[..., tuple[Events, float]]


@dataclass(frozen=True, slots=True)
class Pass:
    """One profiled pass, and how long it was by the caller's own clock, in seconds."""

    times: Times
    clock: float


@dataclass(slots=True)
class LayerTimes:
    """Passes under the profiler, and the seconds of those without. ``partial``: interrupted."""

    passes: list[Pass] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    steady: bool = False
    partial: bool = False

    @property
    def shown(self) -> Pass:
        """The median pass."""
        ordered = sorted(self.passes, key=lambda one: one.times.whole)
        return ordered[len(ordered) // 2]

    @property
    def undisturbed(self) -> float:
        """Median seconds of a pass without the profiler."""
        return median(self.plain)

    @property
    def slowdown(self) -> float:
        """By which profiling made a pass longer: 0.02 is 2 %."""
        return median(one.clock for one in self.passes) / self.undisturbed - 1

    @property
    def unexplained(self) -> float:
        """How far layers and gap are off the caller's clock: 0.01 is 1 % too much."""
        times = self.shown.times
        accounted = times.own + times.host + times.launch + times.idle
        return accounted / 1e9 / self.shown.clock - 1


def layer_times(
    model: str | nn.Module,
    inputs: Any,
    *,
    batch: int,
    device: Device,
    setting: Setting,
    rules: Rules,
    options: Mapping[str, Any],
    progress: Progress | None = None,
    profiler: Profiler = profiled_pass,
) -> LayerTimes:
    """Time every module call of a network; the arguments are those of ``latency``.

    Args:
        profiler: runs a pass and returns its events and its seconds, as ``profiled_pass`` does.

    Raises:
        InvalidInput: a compiled network or a graph, whose modules do not run one by one.
        ArchscopeError: too little memory, or it does not run in this setting.
        KeyboardInterrupt: before a single pass was seen.
    """
    setting.check(device)
    if setting.compile or setting.graph or setting.cold:
        raise InvalidInput("layers are timed as they run eagerly: no --compile, --graph or --cold")
    found = LayerTimes()
    name = model if isinstance(model, str) else type(model).__name__
    told = Paced(progress, device.now)
    with running(tf32=setting.dtype == "tf32", threads=setting.threads):
        try:
            with failures_told(name, setting, device):
                network, run = network_and_run(model, inputs, batch, device, setting, options)
                found.steady = _warm_up(run, device, rules, told)
            _passes(network, run, device, rules, told, profiler, found)
        except KeyboardInterrupt:
            if not found.passes:
                raise
            found.partial = True
        except OutOfMemory as error:
            raise _too_little(device, name) from error
        except (RuntimeError, MemoryError) as error:  # of a pass; the profiler's own is told as is
            if is_out_of_memory(error):
                raise _too_little(device, name) from error
            raise failed(name, setting, device, error) from error
        finally:
            device.release()
    return found


def _too_little(device: Device, name: str) -> ArchscopeError:
    return ArchscopeError(f"{device.name} has too little memory for {name}")


def _warm_up(run: Callable[[], Any], device: Device, rules: Rules, told: Paced) -> bool:
    """Whether it became steady."""
    once = replace(rules, max_runs=1)
    warmed = collect(partial(device.sample, run), device.now, once, _warming(told))
    if warmed.partial:
        raise KeyboardInterrupt
    return warmed.steady


def _passes(
    network: nn.Module,
    run: Callable[[], Any],
    device: Device,
    rules: Rules,
    told: Paced,
    profiler: Profiler,
    found: LayerTimes,
) -> None:
    on_cpu = device.name == "cpu"

    def finished() -> None:
        run()
        device.wait()

    profiler(network, finished, on_cpu=on_cpu)  # its first pass sets the profiler up
    start, seen = device.now(), 0.0
    while not _enough(found, seen, rules):
        run()  # reading a trace leaves nothing of the network in the caches
        found.plain.append(device.sample(run).wall)
        events, clock = profiler(network, finished, on_cpu=on_cpu)
        found.passes.append(Pass(attribute(events, on_cpu=on_cpu), clock))
        seen = device.now() - start
        told(partial(_where, len(found.passes), max(rules.max_seconds - seen, 0.0)))


def _where(passes: int, seconds: float) -> str:
    return f"pass {passes} profiled, at most {seconds:.0f} s more"


def _warming(told: Paced) -> Callable[[Samples, float], None]:
    def tell(samples: Samples, seconds: float) -> None:
        told(lambda: f"warm-up run {samples.warmup}, at most {seconds:.0f} s more")

    return tell


def _enough(found: LayerTimes, seconds: float, rules: Rules) -> bool:
    passes = len(found.passes)
    return passes >= PASSES or (passes >= _LEAST_PASSES and seconds >= rules.max_seconds)


def layer_rows(
    times: LayerTimes, trace: Trace, card: Card | None = None, *, tf32: bool = False
) -> list[dict[str, Any]]:
    """A row per module that took time, then what ran outside of all, then the gap by name.

    Args:
        times: measured.
        trace: of the same run: what each module computes.
        card: the ceilings of the device, where they are known.
        tf32: products of float32 run in TF32.

    Returns:
        ``self_ms``, which over all rows adds up to the whole; ``total_ms`` with the modules
        inside and the caller's time there; ``backward_ms`` of ``self_ms``; ``host_ms``, for which
        the device waited for the caller in this module (in the gap's row, once more, of all);
        ``kernels`` (on a CPU operators); achieved rates; ``least_ms`` and ``bound`` by the
        roofline, and ``roofline_share``, the one over ``self_ms``.
    """
    pass_ = times.shown.times
    totals, calls = _totals(pass_), Counter(path for path, _ in pass_.calls)
    work = _operators(trace, calls)
    rows = []
    for path, spent in _by_path(pass_.calls).items():
        rows.append(
            {
                **_columns(path or "(model)", spent, totals[path], pass_.whole),
                "kind": trace.modules.get(path, ""),
                "calls": calls[path],
                **_beside(spent.own, work.get(path, ()), card, tf32),
            }
        )
    rest = pass_.outside
    nothing = {"kind": "", "calls": 1, **_beside(0, (), None, tf32)}
    rows.append({**_columns(OUTSIDE, rest, rest.own + rest.host, pass_.whole), **nothing})
    for name, gap in zip(GAPS, (pass_.launch, pass_.host, pass_.idle), strict=True):
        rows.append({**_columns(name, Spent(own=gap), gap, pass_.whole), **nothing, "kind": "gap"})
    return rows


def _columns(path: str, spent: Spent, total: float, whole: float) -> dict[str, Any]:
    return {
        "path": path,
        "self_ms": spent.own / 1e6,
        "total_ms": total / 1e6,
        "share": spent.own / whole,
        "backward_ms": spent.backward / 1e6,
        "host_ms": spent.host / 1e6,
        "kernels": spent.kernels,
    }


def _beside(own: float, ops: Sequence[Op], card: Card | None, tf32: bool) -> dict[str, Any]:
    """What was computed in ``own`` ns, and the least time for it."""
    flops = sum(op.flops for op in ops)
    traffic = sum(op.bytes_read + op.bytes_written for op in ops)
    cost = estimate(ops, card, tf32=tf32) if card is not None and ops else None
    return {
        "flops": flops,
        "bytes": traffic,
        "achieved_gflops": flops / own if own else None,
        "achieved_gb_s": traffic / own if own else None,
        "least_ms": None if cost is None else 1e3 * cost.time,
        "bound": None if cost is None else cost.bound,
        "roofline_share": cost.time * 1e9 / own if cost is not None and own else None,
    }


def _operators(trace: Trace, called: Container[str]) -> dict[str, list[Op]]:
    """By the path of the module that ran them, or ran what they differentiate.

    Where a run took a fused path past a module, as ``nn.TransformerEncoderLayer`` does in
    inference, its operators are those of the module around it that was called.
    """
    found: dict[str, list[Op]] = {}
    for op in trace.ops:
        if op.category != "input":
            path = (trace.ops[op.forward_op] if op.forward_op >= 0 else op).module
            while path and path not in called:
                path = path.rpartition(".")[0]
            found.setdefault(path, []).append(op)
    return found


def _by_path(calls: Mapping[CallKey, Spent]) -> dict[str, Spent]:
    found: dict[str, Spent] = {}
    for (path, _), spent in calls.items():
        whole = found.setdefault(path, Spent())
        whole.own += spent.own
        whole.backward += spent.backward
        whole.host += spent.host
        whole.kernels += spent.kernels
    return found


def _totals(times: Times) -> dict[str, float]:
    """By path: the time of all calls of a module and of those made in them, each once."""
    found: dict[str, float] = {}
    for key, spent in times.calls.items():
        around: set[str] = set()
        caller: CallKey | None = key
        while caller is not None:
            around.add(caller[0])
            caller = times.parents[caller]
        for path in around:
            found[path] = found.get(path, 0.0) + spent.own + spent.host
    return found


def layers_data(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    batch: int = 1,
    device: str | Device = "cpu",
    setting: Setting | None = None,
    max_seconds: float = 20.0,
    progress: Progress | None = None,
    profiler: Profiler = profiled_pass,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """``layer_rows`` of a model, their conditions, and how sure they are.

    Returns:
        ``layers``; ``whole_ms``, which they add up to; ``clock_ms``, the same pass by the
        caller's clock, and ``unexplained``, by how much both differ; ``gap_ms`` by name;
        ``undisturbed_ms`` without the profiler and ``slowdown``; ``status`` ("ok" or "partial").
    """
    at_hand = device_at_hand(device) if isinstance(device, str) else device
    setting, options = setting or Setting(), dict(options or {})
    setting.check(at_hand)
    trace = trace_of(model, inputs, batch, at_hand, setting, options)
    try:
        check_memory(trace, at_hand)
    except OutOfMemory as error:
        raise _too_little(at_hand, trace.model) from error
    if progress is not None:
        progress(f"{trace.model} batch {trace.batch}: building")
    before = conditions(at_hand)
    times = layer_times(
        model,
        inputs,
        batch=batch,
        device=at_hand,
        setting=setting,
        rules=Rules.within(max_seconds),
        options=options,
        progress=progress,
        profiler=profiler,
    )
    after = conditions(at_hand)
    threads = setting.threads or torch.get_num_threads()
    card = card_at_hand(at_hand, threads)
    return {
        "model": trace.model,
        "device": at_hand.name,
        "device_title": at_hand.title,
        "batch": trace.batch,
        "input_shape": shape_of(trace),
        "dtype": setting.dtype,
        "mode": setting.mode,
        "status": "partial" if times.partial else "ok",
        "threads": threads,
        **_whole(times),
        "disturbed": disturbance(before, after),
        "ceilings": None if card is None else card.source,
        **around(before, after),
        "layers": layer_rows(times, trace, card, tf32=setting.dtype == "tf32"),
    }


def _whole(times: LayerTimes) -> dict[str, Any]:
    """What the rows add up to, and how sure that is."""
    shown = times.shown
    return {
        "whole_ms": shown.times.whole / 1e6,
        "clock_ms": 1e3 * shown.clock,
        "unexplained": times.unexplained,
        "gap_ms": {
            "launch": shown.times.launch / 1e6,
            "host": shown.times.host / 1e6,
            "idle": shown.times.idle / 1e6,
        },
        "passes": len(times.passes),
        "undisturbed_ms": 1e3 * times.undisturbed,
        "slowdown": times.slowdown,
        "steady": times.steady,
    }
