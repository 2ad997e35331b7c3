"""Predicted latency of a network on a device that need not be at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archscope.analyzers.roofline import dtype_of, estimate
from archscope.arguments import (
    checked,
    device_or_name,
    mapping,
    positive,
    positives,
    reference_or_module,
    text,
)
from archscope.calibrated import device_named
from archscope.devices import Device
from archscope.measure.workload import analysed, check_batches, inputs_or_sample
from archscope.prediction.efficiency import Efficiency, efficiencies
from archscope.prediction.work import works
from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from archscope.sources.inputs import Input

_MOST_GUESSED = 0.5  # share of the time in kinds of operators that no measured network has


@dataclass(frozen=True, slots=True)
class Prediction:
    """A latency in seconds, with the interval that holds 90 % of networks left out of the fit.

    ``basis`` is "measured" where the efficiencies were learned on this device, "transferred" where
    on another one of its kind, and "least time" where none was measured: then there is no latency.
    ``remark`` says what is known of the error.
    """

    least: float
    seconds: float | None
    low: float | None
    high: float | None
    basis: str
    remark: str


def predict(trace: Trace, device: Device, *, tf32: bool = False) -> Prediction:
    """The latency of a run on a device, from the record of the run and the device's ceilings.

    Args:
        trace: of an inference in eager mode.
        device: a card, or a device whose ceilings were measured.
        tf32: products of float32 run in TF32.
    """
    least = estimate(trace.ops, device, tf32=tf32).time
    learned, basis, why = _learned(trace, device, tf32)
    if learned is None:
        return Prediction(least, None, None, None, "least time", why)
    work = works(trace.ops, device, tf32=tf32)
    guessed = learned.guessed(work)
    if guessed > _MOST_GUESSED:
        part = f"{100 * guessed:.0f} % of the time"
        why = f"{part} is of operators that no measured network has: not predicted"
        return Prediction(least, None, None, None, "least time", why)
    seconds, held = learned.seconds(work), learned.held_out
    remark = _remark(learned, basis, 1e3 * seconds)
    return Prediction(least, seconds, held.low * seconds, held.high * seconds, basis, remark)


@checked(
    model=reference_or_module,
    kwargs=mapping,
    device=device_or_name,
    batch=positives,
    dtype=text,
    threads=positive,
)
def predict_latency(
    model: str | nn.Module,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input: Input = None,
    device: str | Device,
    batch: int | Sequence[int] = 1,
    dtype: str = "fp32",
    threads: int | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Predict a network's latency on a device that need not be at hand, batch size by batch size.

    Args:
        model: a reference, or a module.
        inputs: what to call it with, their batch included, as for ``archscope.analyze``. A
            reference has its own.
        kwargs: keyword inputs beside them.
        input: the shape of one sample instead, of which batches are made: (3, 320, 320).
        device: a name of ``archscope device list``, or "cpu" or "cuda" for the ceilings that were
            calibrated on the device at hand, or a ``Device``.
        batch: one batch size of a reference, or several.
        dtype: of weights and inputs: "fp32", "tf32", "bf16", "fp16" or "fp64".
        threads: of the CPU at hand.
        options: options of a reference.

    Returns:
        A row per batch size: ``latency_ms_p50`` and, from networks of families left out,
        ``latency_ms_low`` and ``_high`` (90 %), missing where nothing was measured on such a
        device; ``least_ms`` by the roofline; ``basis``, "measured", "transferred" or "least
        time"; and ``remark``, what is known of the error.

    Raises:
        ArchscopeError: an unknown reference, device or option, or inputs that do not fit.
    """
    from archscope.analyzers.frames import frame

    return frame(
        prediction_rows(
            model,
            inputs_or_sample(inputs, input, kwargs),
            device=device,
            batch=batch,
            dtype=dtype,
            threads=threads,
            options=options,
        )
    )


def prediction_rows(
    model: str | nn.Module,
    inputs: Any,
    *,
    device: str | Device,
    batch: int | Sequence[int],
    dtype: str,
    threads: int | None,
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The rows of ``predict_latency``."""
    card = device_named(device, threads) if isinstance(device, str) else device
    batches = [batch] if isinstance(batch, int) else list(batch)
    check_batches(model, inputs, batches)
    return [_row(model, inputs, size, card, dtype, options) for size in batches]


def _row(
    model: Any, inputs: Any, batch: int, device: Device, dtype: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    execution = {
        "device": "cpu" if device.kind == "cpu" else "cuda",
        "dtype": "fp32" if dtype == "tf32" else dtype,
    }
    trace = analysed(model, inputs, batch, "inference", execution, options).trace
    found = predict(trace, device, tf32=dtype == "tf32")
    return {
        "model": trace.model,
        "device": device.name,
        "device_title": device.title,
        "batch": trace.batch,
        "input_shape": trace.inputs[0][1] if trace.inputs else (),
        "dtype": dtype,
        "latency_ms_p50": _ms(found.seconds),
        "latency_ms_low": _ms(found.low),
        "latency_ms_high": _ms(found.high),
        "throughput_per_s": trace.batch / found.seconds if found.seconds else None,
        "least_ms": _ms(found.least),
        "basis": found.basis,
        "remark": found.remark,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _learned(trace: Trace, device: Device, tf32: bool) -> tuple[Efficiency | None, str, str]:
    """What was learned on this device, else on one like it; or why there is nothing."""
    dtype, mode = dtype_of(trace, tf32=tf32), trace.mode
    alike = [one for one in efficiencies() if one.device.kind == device.kind]
    setting = [one for one in alike if (one.dtype, one.mode) == (dtype, mode)]
    same = [one for one in setting if _comparable(one.device, device)]
    if not same:
        return None, "", f"{_missing(alike, setting, device, dtype, mode)}: not predicted"
    here = next((one for one in same if one.device == device), None)
    return (here, "measured", "") if here else (same[0], "transferred", "")


def _comparable(learned: Device, device: Device) -> bool:
    """Shares of published peaks say nothing of calibrated ones, nor one thread of many."""
    return (learned.basis, learned.threads) == (device.basis, device.threads)


def _missing(
    alike: Sequence[Efficiency],
    setting: Sequence[Efficiency],
    device: Device,
    dtype: str,
    mode: str,
) -> str:
    """Why nothing is known of a device's efficiency in this setting."""
    if not alike:
        return f"no efficiency was measured on a {device.kind.upper()}"
    if not setting:
        return f"no efficiency was measured on a {device.kind.upper()} in {dtype} {mode}"
    there = "; ".join(sorted({one.device.title for one in setting}))
    if device.basis == "published":
        return f"efficiency was measured on {there}, not against the published peaks of a whole CPU"
    return f"efficiency was measured on {there}, not on as many threads"


def _remark(learned: Efficiency, basis: str, ms: float) -> str:
    held = learned.held_out
    found = [
        f"families left out: median error {100 * held.median:.0f} %, 90 % below "
        f"{100 * held.p90:.0f} % ({held.rows} latencies on {learned.device.title})"
    ]
    if basis == "transferred":
        found.append("learned on that device; what another one adds to the error is not known")
    if not learned.shortest_ms <= ms <= learned.longest_ms:
        found.append(
            f"outside of the latencies measured, {learned.shortest_ms:.2g} to "
            f"{learned.longest_ms:.4g} ms"
        )
    return "; ".join(found)
