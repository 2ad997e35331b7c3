"""How long a network takes on the device at hand, with the conditions under which it did."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from archscope.arguments import (
    above_zero,
    checked,
    device_or_name,
    flag,
    function,
    mapping,
    positive,
    positives,
    reference_or_module,
    text,
)
from archscope.calibrated import ceilings
from archscope.errors import InvalidInput
from archscope.measure.devices import Device, device_at_hand
from archscope.measure.environment import around, conditions, disturbance
from archscope.measure.failures import OutOfMemory, check_memory, failures_told
from archscope.measure.progress import Paced, Progress
from archscope.measure.sampling import Rules, Sample, Samples, collect_over_builds
from archscope.measure.settings import running
from archscope.measure.statistics import Summary
from archscope.measure.workload import (
    Setting,
    analysed,
    check_batches,
    inputs_or_sample,
    workload,
)
from archscope.sources import check_positive
from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from archscope.sources.inputs import Input

_CELLS = ("RNNCell", "LSTMCell", "GRUCell")


@checked(
    model=reference_or_module,
    kwargs=mapping,
    device=device_or_name,
    batch=positives,
    dtype=text,
    mode=text,
    channels_last=flag,
    compile=flag,
    graph=flag,
    cold=flag,
    threads=positive,
    precision=above_zero,
    max_seconds=above_zero,
    progress=function,
)
def latency(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input: Input = None,
    device: str | Device = "cpu",
    batch: int | Sequence[int] = 1,
    dtype: str = "fp32",
    mode: str = "inference",
    channels_last: bool = False,
    compile: bool = False,
    graph: bool = False,
    cold: bool = False,
    threads: int | None = None,
    precision: float = 0.01,
    max_seconds: float = 20.0,
    progress: Progress | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Measure a network's latency, batch size by batch size.

    Random data, weights as initialised; warm-up until steady. A network is built and measured
    several times, since where it lies in memory and when it runs change how long it takes; the
    median is over these builds. It ends after half of ``max_seconds`` if the median is known to
    ``precision`` by then. On the CPU the device's time is the caller's.

    Args:
        model: a reference, or a module (which is copied, and stays as it was).
        inputs: what to call it with, their batch included, as for ``archscope.analyze``: tensors,
            shapes, or the function that makes them. A reference has its own.
        kwargs: keyword inputs beside them.
        input: the shape of one sample instead, of which batches are made: (3, 320, 320).
        device: "cpu", "cuda" or "cuda:N".
        batch: one batch size of a reference or of ``input``, or several.
        dtype: of weights and inputs: "fp32", "tf32", "bf16", "fp16" or "fp64".
        mode: "inference", or "training": one forward and backward pass, no optimizer.
        channels_last: keep images and weights of convolutions in that layout.
        compile: run what ``torch.compile`` makes of it.
        graph: replay it as one CUDA graph.
        cold: empty the L2 cache before each run, outside of the timed region.
        threads: of the CPU; torch's own choice by default.
        precision: half of the width of the median's 95 % confidence interval, in medians.
        max_seconds: at most so long for each batch size, after the warm-up.
        progress: told where the measurement is, at most once a second.
        options: options of a reference.

    Returns:
        A row per batch size: ``status`` ("ok", "out of memory", or "partial" when interrupted; the
        times are then those of the runs before); ``runs`` and ``builds``; ``latency_ms_p50``,
        ``_low`` and ``_high`` (the 95 % interval: of builds, or of the median where there is one;
        of fewer than six runs the whole range), ``_iqr``, ``_p95`` of the device's time and the
        same of ``wall_ms``; ``throughput_per_s``; achieved rates, and their shares of the ceilings
        if the device was calibrated (a bandwidth share of more than 1 is a cache's); of recurrent
        networks ``form`` ("fused" or "unrolled"), ``steps`` and ``latency_ms_per_step``;
        ``samples_ms``; and the conditions, those that change ``_before`` and ``_after``.
        ``disturbed`` says what made it slower, if anything did.

    Raises:
        ArchscopeError: an unknown reference, device or option, or inputs that do not fit.
    """
    from archscope.analyzers.frames import frame

    return frame(
        latency_rows(
            model,
            inputs_or_sample(inputs, input, kwargs),
            device=device,
            batch=batch,
            setting=Setting(dtype, mode, channels_last, compile, graph, cold, threads),
            precision=precision,
            max_seconds=max_seconds,
            progress=progress,
            options=options,
        )
    )


def latency_rows(
    model: str | nn.Module,
    inputs: Any,
    *,
    device: str | Device,
    batch: int | Sequence[int],
    setting: Setting,
    precision: float,
    max_seconds: float,
    progress: Progress | None,
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The rows of ``latency``; ``inputs`` as ``inputs_or_sample`` has them."""
    at_hand = device_at_hand(device) if isinstance(device, str) else device
    setting.check(at_hand)
    batches = [batch] if isinstance(batch, int) else list(batch)
    if setting.threads is not None:
        check_positive("threads", setting.threads)
    check_batches(model, inputs, batches)
    if not (0 < precision < math.inf and 0 < max_seconds < math.inf):
        raise InvalidInput("precision and max_seconds must be more than 0, and finite")
    rules = Rules.within(max_seconds, precision)
    rows: list[dict[str, Any]] = []
    with running(tf32=setting.dtype == "tf32", threads=setting.threads):
        # A batch size that the model refuses is told before the others are measured.
        traces = [trace_of(model, inputs, size, at_hand, setting, options) for size in batches]
        for size, trace in zip(batches, traces, strict=True):
            ahead = (len(batches) - len(rows) - 1) * (rules.max_warmup_seconds + max_seconds)
            told = _Told(progress, at_hand, model, size, ahead)
            try:
                row = _row(model, inputs, size, trace, at_hand, setting, rules, told, options)
            except KeyboardInterrupt:  # before this batch size was run at all
                if not rows:
                    raise
                rows[-1]["status"] = "partial"
                break
            rows.append(row)
            if row["status"] == "partial":
                break
    return rows


def _row(
    model: Any,
    inputs: Any,
    batch: int,
    trace: Trace,
    device: Device,
    setting: Setting,
    rules: Rules,
    told: _Told,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The measurement of one batch size; out of memory is a result like any other."""
    told.building(rules)
    before = conditions(device)
    samples, status = Samples(), "ok"
    try:
        check_memory(trace, device)
        with failures_told(trace.model, setting, device):
            _sample(samples, model, inputs, batch, device, setting, rules, told, options)
        status = "partial" if samples.partial else "ok"
    except KeyboardInterrupt:
        status = "partial"
    except OutOfMemory:
        status = "out of memory"
    device.release()
    after = conditions(device)
    return {
        "model": model if isinstance(model, str) else trace.model,
        "device": device.name,
        "device_title": device.title,
        "batch": trace.batch,
        "input_shape": shape_of(trace),
        "dtype": setting.dtype,
        "mode": setting.mode,
        "status": status,
        "runs": len(samples.taken),
        "builds": samples.builds,
        "form": form_of(trace),
        "steps": steps_of(trace),
        **(times := _times(samples, trace)),
        **_shares(times, device, setting.dtype),
        "warmup_runs": samples.warmup,
        "steady": samples.steady,
        "disturbed": disturbance(before, after),
        "channels_last": setting.channels_last,
        "compile": setting.compile,
        "graph": setting.graph,
        "cold": setting.cold,
        "threads": torch.get_num_threads(),
        **around(before, after),
        "samples_ms": [1e3 * sample.device for sample in samples.taken],
        "wall_samples_ms": [1e3 * sample.wall for sample in samples.taken],
    }


def _sample(
    samples: Samples,
    model: Any,
    inputs: Any,
    batch: int,
    device: Device,
    setting: Setting,
    rules: Rules,
    told: _Told,
    options: Mapping[str, Any],
) -> None:
    def build() -> Callable[[], Sample]:
        device.release()  # what the build before it left
        run = workload(model, inputs, batch, device, setting, options)
        return partial(device.sample, run, cold=setting.cold)

    collect_over_builds(build, device.now, rules, told, samples)


def trace_of(
    model: Any,
    inputs: Any,
    batch: int,
    device: Device,
    setting: Setting,
    options: Mapping[str, Any],
) -> Trace:
    """The same run on shapes alone: what it computes, and whether the model takes its inputs."""
    execution = {
        "device": device.name.partition(":")[0],
        "dtype": "fp32" if setting.dtype == "tf32" else setting.dtype,
    }
    return analysed(model, inputs, batch, setting.mode, execution, options).trace


def _times(samples: Samples, trace: Trace) -> dict[str, Any]:
    measured = bool(samples.taken)
    device = samples.device if measured else None
    wall = samples.wall if measured else None
    seconds = device.median if device else None
    steps = steps_of(trace)
    flops = sum(op.flops for op in trace.ops)
    traffic = sum(op.bytes_read + op.bytes_written for op in trace.ops if op.category != "input")
    return {
        **_summary_ms("latency_ms", device),
        **_summary_ms("wall_ms", wall),
        "latency_ms_per_step": 1e3 * seconds / steps if seconds and steps else None,
        "throughput_per_s": trace.batch / wall.median if wall else None,
        "flops": flops,
        "bytes": traffic,
        "achieved_gflops": flops / seconds / 1e9 if seconds else None,
        "achieved_gb_s": traffic / seconds / 1e9 if seconds else None,
    }


def _shares(times: dict[str, Any], device: Device, dtype: str) -> dict[str, float | None]:
    """Achieved rates over the ceilings that were calibrated here; None without a calibration."""
    threads = torch.get_num_threads() if device.name == "cpu" else None
    measured = ceilings(device.title, threads) or {"tflops": {}}
    peak, bandwidth = measured["tflops"].get(dtype), measured.get("bandwidth_gb_s")
    rate, traffic = times["achieved_gflops"], times["achieved_gb_s"]
    return {
        "compute_share": rate / (1e3 * peak) if rate and peak else None,
        "bandwidth_share": traffic / bandwidth if traffic and bandwidth else None,
    }


def shape_of(trace: Trace) -> tuple[int, ...]:
    """Of the first input, its batch included."""
    return trace.inputs[0][1] if trace.inputs else ()


def steps_of(trace: Trace) -> int | None:
    """The steps that a recurrent network goes through, fused or unrolled; None of any other."""
    fused = _steps_of_layers(trace)
    # The cells of a NASNet are no steps: they are called once.
    cells = [call for call in trace.calls if call.kind.endswith("Cell")]
    unrolled = [call.call for call in cells if call.kind in _CELLS or call.call > 1]
    return max(fused or unrolled, default=None)


def form_of(trace: Trace) -> str | None:
    """How a recurrent network goes through its steps; None of any other."""
    if _steps_of_layers(trace):
        return "fused"
    return None if steps_of(trace) is None else "unrolled"


def _steps_of_layers(trace: Trace) -> list[int]:
    """Of recurrent layers; torch's cells are operators too, of one step each."""
    recurrent = [op for op in trace.ops if op.recurrence is not None and "_cell" not in op.name]
    return [op.recurrence.steps for op in recurrent if op.recurrence is not None]


def _summary_ms(name: str, found: Summary | None) -> dict[str, float | None]:
    fields = {"p50": "median", "low": "low", "high": "high", "iqr": "iqr", "p95": "p95"}
    return {
        f"{name}_{suffix}": None if found is None else 1e3 * getattr(found, attribute)
        for suffix, attribute in fields.items()
    }


class _Told:
    """Tells where the measurement of a batch size is."""

    def __init__(
        self, progress: Progress | None, device: Device, model: Any, batch: int, ahead: float
    ):
        """``ahead`` seconds at most are for the batch sizes after this one."""
        self._tell, self._ahead = Paced(progress, device.now), ahead
        self._what = f"{model if isinstance(model, str) else type(model).__name__} batch {batch}"

    def building(self, rules: Rules) -> None:
        most = rules.max_warmup_seconds + rules.max_seconds + self._ahead
        self._tell.at_once(f"{self._what}: building, then at most {most:.0f} s")

    def __call__(self, samples: Samples, remaining: float) -> None:
        runs, left = len(samples.taken), remaining + self._ahead
        done = f"run {runs}" if runs else f"warm-up run {samples.warmup}"
        self._tell(lambda: f"{self._what}: {done}, at most {left:.0f} s more")
