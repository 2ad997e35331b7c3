"""What ``device_truth`` measures: one network at one batch size, each time for so many seconds."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from archscope.analyzers.allocator import allocator
from archscope.errors import ArchscopeError, is_out_of_memory
from archscope.measure.devices import Device
from archscope.measure.energy import LEAST_WINDOW, Window, busy_windows, columns, idle_window
from archscope.measure.environment import conditions, disturbance
from archscope.measure.latency import trace_of
from archscope.measure.layers import layers_data
from archscope.measure.profiling import profiled_pass
from archscope.measure.sampling import Rules, Samples, collect
from archscope.measure.statistics import Summary
from archscope.measure.workload import Setting, workload
from archscope.sources import resolve

WINDOWS = 3
_DIGITS = 5  # of every sample that is kept


class Memory(Protocol):
    """What counts the bytes that a run holds."""

    def resident(self) -> int | None:
        """Bytes held before a network is there: the libraries' workspaces."""

    def peak(self, run: Callable[[], Any]) -> int | None:
        """The most bytes during a run that is not the first; None where nobody counts."""


class NoMemory:
    """Of a device whose allocator does not count."""

    def resident(self) -> None:
        return None

    def peak(self, run: Callable[[], Any]) -> None:
        return None


class CudaMemory:
    """Torch's caching allocator. The matrix library keeps a workspace for every stream that used
    it, so what is there already is counted anew before each network.
    """

    def __init__(self, device: Device):
        self._device = torch.device(device.name)
        for dtype in (torch.float32, torch.bfloat16):
            matrix = torch.ones(64, 64, device=self._device, dtype=dtype)
            _ = nn.functional.linear(matrix @ matrix, matrix, matrix[0])
        torch.cuda.synchronize(self._device)

    def resident(self) -> int:
        gc.collect()
        return torch.cuda.memory_allocated(self._device)

    def peak(self, run: Callable[[], Any]) -> int:
        run()
        torch.cuda.synchronize(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        run()
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device)


@dataclass
class Bench:
    """A device and the networks that were built for it, which stay in the host's memory."""

    device: Device
    memory: Memory
    dtype: str = "fp32"
    threads: int | None = None
    profiler: Callable[..., Any] = profiled_pass
    idle: Window | None = None
    built: dict[str, nn.Module] = field(default_factory=dict)

    def setting(self, **how: bool) -> Setting:
        return Setting(dtype=self.dtype, threads=self.threads, **how)

    def network(self, name: str) -> nn.Module:
        if name not in self.built:
            self.built[name] = resolve(name, real=True).model
        return self.built[name]

    def workload(self, name: str, batch: int, **how: bool) -> Callable[[], Any]:
        network, inputs = self.network(name), inputs_of(name, batch)
        return workload(network, inputs, 1, self.device, self.setting(**how), {})


def inputs_of(name: str, batch: int) -> tuple[Any, ...]:
    """Shapes of a network's inputs at a batch size."""
    return tuple(resolve(name, batch=batch).inputs)


def latency_point(bench: Bench, name: str, batch: int, seconds: float) -> dict[str, Any]:
    """Eager latency, on CUDA that of a graph, and peak memory predicted and measured."""
    before = conditions(bench.device)
    trace = trace_of(
        bench.network(name), inputs_of(name, batch), 1, bench.device, bench.setting(), {}
    )
    predicted = allocator(trace)
    flops = sum(op.flops for op in trace.ops)
    row: dict[str, Any] = {
        "input_shape": list(trace.inputs[0][1]),
        "macs": trace.macs,
        "flops": flops,
        "predicted_peak_bytes": predicted.allocated,
        "workspace_bytes": bench.memory.resident(),
        "measured_peak_bytes": None,
    }
    on_cuda = bench.device.name.startswith("cuda")
    eager, status = _sampled(bench, name, batch, seconds / (2 if on_cuda else 1), row)
    row |= {"status": status, **_times("", eager, batch, flops)}
    if on_cuda and status == "ok":
        graph, told = _sampled(bench, name, batch, seconds / 2, None)
        row |= {"graph_status": told, **_times("graph_", graph, batch, flops)}
    return row | {"disturbed": disturbance(before, conditions(bench.device))}


def _sampled(
    bench: Bench, name: str, batch: int, seconds: float, row: dict[str, Any] | None
) -> tuple[Samples, str]:
    """Samples, eager with the peak put into ``row``, or as a graph; and how it went."""
    device = bench.device
    rules = Rules(max_seconds=0.7 * seconds, max_warmup_seconds=0.3 * seconds)
    try:
        run = bench.workload(name, batch, graph=row is None)
        if row is not None:
            row["measured_peak_bytes"] = bench.memory.peak(run)
        samples = collect(partial(device.sample, run), device.now, rules)
    except ArchscopeError as error:
        return Samples(), str(error)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return Samples(), "out of memory"
    finally:
        run = None
        device.release()
    if samples.partial:
        raise KeyboardInterrupt
    return samples, "ok"


def _times(prefix: str, samples: Samples, batch: int, flops: int) -> dict[str, Any]:
    if not samples.taken:
        return {}
    device, wall = samples.device, samples.wall
    return {
        **_summary(f"{prefix}latency_ms", device),
        f"{prefix}wall_ms_p50": 1e3 * wall.median,
        f"{prefix}runs": len(samples.taken),
        f"{prefix}steady": samples.steady,
        f"{prefix}throughput_per_s": batch / wall.median,
        f"{prefix}achieved_gflops": flops / device.median / 1e9,
        f"{prefix}samples_ms": [
            float(f"{1e3 * sample.device:.{_DIGITS}g}") for sample in samples.taken
        ],
    }


def _summary(name: str, found: Summary) -> dict[str, float]:
    fields = {"p50": "median", "low": "low", "high": "high", "iqr": "iqr", "p95": "p95"}
    return {f"{name}_{suffix}": 1e3 * getattr(found, what) for suffix, what in fields.items()}


def layers_point(bench: Bench, name: str, batch: int, seconds: float) -> dict[str, Any]:
    """Times by layer, and whether they and the gap are the whole."""
    try:
        found = layers_data(
            bench.network(name),
            inputs_of(name, batch),
            device=bench.device,
            setting=bench.setting(),
            max_seconds=seconds,
            profiler=bench.profiler,
        )
    except ArchscopeError as error:
        return {"status": str(error)}
    if found["status"] == "partial":
        raise KeyboardInterrupt
    kept = ("clock_ms", "unexplained", "gap_ms", "undisturbed_ms", "slowdown", "passes")
    layers = [
        {key: row[key] for key in ("path", "calls", "self_ms", "kernels", "least_ms", "bound")}
        for row in found["layers"]
    ]
    return {
        **{key: found[key] for key in kept},
        "status": "ok",
        "disturbed": found["disturbed"],
        "layers": layers,
    }


def energy_point(bench: Bench, name: str, batch: int, seconds: float) -> dict[str, Any]:
    """Joules per sample over windows that fill those seconds, or the reason why there are none."""
    device, before = bench.device, conditions(bench.device)
    try:
        meter = device.meter()
        meter.joules()
        if bench.idle is None:
            bench.idle = idle_window(device, meter, LEAST_WINDOW)
        run = bench.workload(name, batch)
        window = max(seconds / WINDOWS - 1, LEAST_WINDOW)
        windows = list(busy_windows(run, device, meter, min(window, 10.0), WINDOWS))
    except ArchscopeError as error:
        return {"status": f"not measured: {error}"}
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return {"status": "out of memory"}
    finally:
        run = None
        device.release()
    disturbed = disturbance(before, conditions(device))
    return {
        "status": "ok",
        "meter": meter.title,
        **columns(windows, bench.idle, batch),
        "disturbed": disturbed,
    }


POINTS: Mapping[str, Callable[[Bench, str, int, float], dict[str, Any]]] = {
    "latency": latency_point,
    "layers": layers_point,
    "energy": energy_point,
}
