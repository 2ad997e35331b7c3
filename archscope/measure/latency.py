"""How long a network takes on the device at hand, with the conditions under which it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from archscope.calibrated import ceilings
from archscope.errors import InvalidInput
from archscope.measure.devices import Device, device_at_hand
from archscope.measure.environment import conditions, versions
from archscope.measure.sampling import Rules, Samples, collect
from archscope.measure.settings import running
from archscope.measure.statistics import Summary
from archscope.measure.workload import Setting, workload
from archscope.sources import check_positive
from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

Progress = Callable[[str], None]
_BETWEEN_REPORTS = 1.0  # s


def latency(
    model: str | nn.Module,
    inputs: Any = None,
    *,
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

    Random data, weights as initialised; warm-up until steady; runs until the 95 % interval of
    the median is within ``precision`` of it. On the CPU the device's time is the caller's.

    Args:
        model: a reference, or a module (which is copied, and stays as it was).
        inputs: of a module, as for ``archscope.trace``, their batch included; of a reference the
            shape of one sample, its own by default.
        device: "cpu", "cuda" or "cuda:N".
        batch: one batch size of a reference, or several.
        dtype: of weights and inputs: "fp32", "tf32", "bf16", "fp16" or "fp64".
        mode: "inference", or "training": one forward and backward pass, no optimizer.
        channels_last: keep images and weights of convolutions in that layout.
        compile: run what ``torch.compile`` makes of it.
        graph: replay it as one CUDA graph.
        cold: empty the L2 cache before each run, outside of the timed region.
        threads: of the CPU; torch's own choice by default.
        precision: half of the interval's width, in medians, at which to stop.
        max_seconds: at most so long for each batch size, after the warm-up.
        progress: told where the measurement is, at most once a second.
        options: options of a reference.

    Returns:
        A row per batch size: ``status`` ("ok", "out of memory", or "partial" when interrupted);
        ``latency_ms_p50``, ``_low`` and ``_high`` (95 % interval), ``_iqr``, ``_p95`` of the
        device's time and the same of ``wall_ms``; ``throughput_per_s``; achieved rates, and
        their shares of the ceilings if the device was calibrated (a bandwidth share of more than
        1 is a cache's);
        ``latency_ms_per_step`` of recurrent networks; ``samples_ms``; and the conditions, those
        that change ``_before`` and ``_after``. ``disturbed`` says what made it slower, if
        anything did.

    Raises:
        ArchscopeError: an unknown reference, device or option, or inputs that do not fit.
    """
    from archscope.analyzers.frames import frame

    return frame(
        latency_rows(
            model,
            inputs,
            device=device,
            batch=batch,
            dtype=dtype,
            mode=mode,
            channels_last=channels_last,
            compile=compile,
            graph=graph,
            cold=cold,
            threads=threads,
            precision=precision,
            max_seconds=max_seconds,
            progress=progress,
            **options,
        )
    )


def latency_rows(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    device: str | Device,
    batch: int | Sequence[int],
    dtype: str,
    mode: str,
    channels_last: bool,
    compile: bool,
    graph: bool,
    cold: bool,
    threads: int | None,
    precision: float,
    max_seconds: float,
    progress: Progress | None,
    **options: Any,
) -> list[dict[str, Any]]:
    """The rows of ``latency``."""
    at_hand = device_at_hand(device) if isinstance(device, str) else device
    setting = Setting(dtype, mode, channels_last, compile, graph, cold, threads)
    setting.check(at_hand)
    batches = [batch] if isinstance(batch, int) else list(batch)
    for size in batches:
        check_positive("batch", size)
    if threads is not None:
        check_positive("threads", threads)
    if not isinstance(model, str) and batches != [1]:
        raise InvalidInput("batch= is for references; a module's inputs have their batch")
    if precision <= 0 or max_seconds <= 0:
        raise InvalidInput("precision and max_seconds must be more than 0")
    rules = Rules(precision=precision, max_seconds=max_seconds)
    rows: list[dict[str, Any]] = []
    with running(tf32=dtype == "tf32", threads=threads):
        for size in batches:
            try:
                row = _row(model, inputs, size, at_hand, setting, rules, progress, options)
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
    device: Device,
    setting: Setting,
    rules: Rules,
    progress: Progress | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The measurement of one batch size; out of memory is a result like any other."""
    trace = trace_of(model, inputs, batch, device, setting, options)
    before = conditions(device)
    told = None if progress is None else _told(progress, trace, device)
    samples, status = Samples(), "ok"
    try:
        samples = _sampled(model, inputs, batch, device, setting, rules, told, options)
        status = "partial" if samples.partial else "ok"
    except KeyboardInterrupt:
        status = "partial"
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        status = "out of memory"
    shape = trace.inputs[0][1] if trace.inputs else ()
    device.release()
    after = conditions(device)
    return {
        "model": trace.model,
        "device": device.name,
        "device_title": device.title,
        "batch": trace.batch,
        "input_shape": shape,
        "dtype": setting.dtype,
        "mode": setting.mode,
        "status": status,
        "runs": len(samples.taken),
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
        **versions(),
        **{f"{name}_before": value for name, value in before.items()},
        **{f"{name}_after": value for name, value in after.items()},
        "samples_ms": [1e3 * sample.device for sample in samples.taken],
        "wall_samples_ms": [1e3 * sample.wall for sample in samples.taken],
    }


def _sampled(
    model: Any,
    inputs: Any,
    batch: int,
    device: Device,
    setting: Setting,
    rules: Rules,
    told: Any,
    options: dict[str, Any],
) -> Samples:
    run = workload(model, inputs, batch, device, setting, options)
    return collect(partial(device.sample, run, cold=setting.cold), device.now, rules, told)


def trace_of(
    model: Any, inputs: Any, batch: int, device: Device, setting: Setting, options: dict[str, Any]
) -> Trace:
    """The same run on shapes alone: what it computes, and whether the model takes its inputs."""
    from archscope.analysis import analyze

    execution = {
        "device": device.name.partition(":")[0],
        "dtype": "fp32" if setting.dtype == "tf32" else setting.dtype,
    }
    if isinstance(model, str):
        report = analyze(
            model, batch=batch, input=inputs, mode=setting.mode, execution=execution, **options
        )
    else:
        report = analyze(model, inputs, mode=setting.mode, execution=execution)
    return report.trace


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


def steps_of(trace: Trace) -> int | None:
    """The steps that a recurrent network goes through, fused or unrolled; None of any other."""
    fused = [op.recurrence.steps for op in trace.ops if op.recurrence is not None]
    unrolled = [call.call for call in trace.calls if call.kind.endswith("Cell")]
    return max(fused or unrolled, default=None)


def _summary_ms(name: str, found: Summary | None) -> dict[str, float | None]:
    fields = {"p50": "median", "low": "low", "high": "high", "iqr": "iqr", "p95": "p95"}
    return {
        f"{name}_{suffix}": None if found is None else 1e3 * getattr(found, attribute)
        for suffix, attribute in fields.items()
    }


def disturbance(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What made a measurement slower than the device can be; nothing if nothing did."""
    found = {reason for now in (before, after) for reason in now["throttled"].split(", ") if reason}
    if any(now["other_processes"] for now in (before, after)):
        found.add("other processes")
    return ", ".join(sorted(found))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the machine, had too little memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "not enough memory" in str(error) or "can't allocate memory" in str(error)


def _told(progress: Progress, trace: Trace, device: Device) -> Any:
    last = device.now()

    def tell(samples: Samples, remaining: float) -> None:
        nonlocal last
        if device.now() - last >= _BETWEEN_REPORTS:
            last = device.now()
            runs = len(samples.taken)
            progress(
                f"{trace.model} batch {trace.batch}: {runs} runs, at most {remaining:.0f} s more"
            )

    return tell
