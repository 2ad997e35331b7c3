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

    found = latency(
        workload.model,
        device=workload.device,
        max_seconds=_SECONDS,
        **_arguments(workload),
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
    from archscope.measure.workload import Setting, inputs_or_sample

    options = _arguments(workload)
    asked = [options.pop(name, None) for name in ("inputs", "input", "kwargs")]
    rows = layers_data(
        workload.model,
        inputs_or_sample(*asked),
        batch=options.pop("batch"),
        device=workload.device,
        setting=Setting(mode=options.pop("mode")),
        max_seconds=_SECONDS_OF_LAYERS,
        options=options,
    )["layers"]
    return {row["path"]: row["self_ms"] for row in rows if row["kind"] != "gap"}


def _arguments(workload: Workload) -> dict[str, Any]:
    """The arguments of ``archscope.latency`` that those of ``archscope.analyze`` amount to."""
    found = dict(workload.arguments or {})
    if found.pop("execution", None):
        raise InvalidInput("a latency bound goes without execution=")
    for name in ("name", "strict"):
        found.pop(name, None)
    whole = workload.inputs is not None and not isinstance(workload.inputs, str)
    batch = None if whole else found.get("batch")  # such inputs have their batch
    mode = found.get("mode") or "inference"
    return {**found, "inputs": workload.inputs, "batch": batch or 1, "mode": mode}
