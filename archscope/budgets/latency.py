"""The one cost that no trace has: how long a run takes, measured on the device at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archscope.errors import ArchscopeError, InvalidInput

if TYPE_CHECKING:
    from torch import nn

    from archscope.measure.devices import Device

_SECONDS = 20.0  # at most, for the measurement
_SECONDS_OF_LAYERS = 5.0


@dataclass(frozen=True)
class Workload:
    """What is measured, and where: arguments of ``archscope.analyze``, and a device."""

    model: str | nn.Module
    inputs: Any = None
    arguments: Mapping[str, Any] | None = None
    device: str | Device = "cpu"


@dataclass(frozen=True)
class Latency:
    """A measured median, the ends of its 95 % interval, in ms, and where it was measured."""

    median: float
    low: float
    high: float
    device: str
    workload: Workload

    def __str__(self) -> str:
        return f"median {self.median:.4g} ms on {self.device}"


def measured(workload: Workload) -> Latency:
    """Measure a workload's latency: the device's time of one run of the whole batch.

    Raises:
        ArchscopeError: the device is not there, or the run was interrupted or took too much memory.
    """
    from archscope.measure.latency import latency

    model, inputs, batch, mode, options = _prepared(workload)
    found = latency(
        model,
        inputs,
        device=workload.device,
        batch=batch,
        mode=mode,
        max_seconds=_SECONDS,
        **options,
    ).iloc[0]
    if found.status != "ok":
        raise ArchscopeError(f"the latency of {found.model} was not measured: {found.status}")
    return Latency(
        float(found.latency_ms_p50),
        float(found.latency_ms_low),
        float(found.latency_ms_high),
        found.device,
        workload,
    )


def time_of_layers(workload: Workload) -> dict[str, float]:
    """The milliseconds of every module in one profiled run, without those of its children."""
    from archscope.measure.layers import layers_data
    from archscope.measure.workload import Setting

    model, inputs, batch, mode, options = _prepared(workload)
    rows = layers_data(
        model,
        inputs,
        batch=batch,
        device=workload.device,
        setting=Setting(mode=mode),
        max_seconds=_SECONDS_OF_LAYERS,
        options=options,
    )["layers"]
    return {row["path"]: row["self_ms"] for row in rows if row["kind"] != "gap"}


def _prepared(workload: Workload) -> tuple[Any, Any, int, str, dict[str, Any]]:
    """The model, inputs, batch size, mode and options as ``archscope.latency`` takes them."""
    from archscope.measure.workload import Sample
    from archscope.sources import resolve
    from archscope.sources.inputs import arguments, made_by, specs

    rest = dict(workload.arguments or {})
    batch, mode = rest.pop("batch", None), rest.pop("mode", None) or "inference"
    sample, named = rest.pop("input", None), rest.pop("kwargs", None)
    rest.pop("name", None), rest.pop("strict", None)
    if rest.pop("execution", None):
        raise InvalidInput("a latency bound goes without execution=")
    model, inputs = workload.model, workload.inputs
    if inputs is None and not named and isinstance(model, str):
        return model, Sample(specs(sample)) if sample else None, batch or 1, mode, rest
    if isinstance(model, str):
        model, rest = resolve(model, mode=mode, options=rest, real=True).model, {}
    if isinstance(inputs, str):
        positional, keywords = made_by(inputs, batch)
        inputs = keywords or positional
    if sample is not None:
        inputs, keywords = arguments(specs(sample), batch or 1)
        named = {**keywords, **(named or {})}
    if named and inputs:
        raise InvalidInput("a latency bound is for positional inputs or for named ones, not both")
    return model, named or inputs, 1, mode, rest
