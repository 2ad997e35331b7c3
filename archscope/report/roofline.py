"""The roofline of a run, and the cards of devices, as tables and as data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archscope.analyzers.roofline import dtype_of, roofline_rows, roofline_totals
from archscope.devices import Device
from archscope.report.devices import device_row
from archscope.report.drawing import table
from archscope.report.numbers import count, memory, percent, shape
from archscope.report.table import Table
from archscope.trace.records import Trace

_HEADINGS = ("layer", "FLOP", "bytes", "FLOP/B", "attainable", "bound", "least ms", "%")


@dataclass
class RooflineReport:
    """The least times of a trace on a device."""

    trace: Trace
    device: Device
    tf32: bool = False

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """The rows of ``analyzers.roofline``."""
        return roofline_rows(self.trace, self.device, tf32=self.tf32)

    @cached_property
    def totals(self) -> dict[str, Any]:
        """The whole run."""
        return roofline_totals(self.trace, self.device, tf32=self.tf32)

    def tables(self) -> list[Table]:
        """What a reader sees."""
        whole = {"path": "total", "share": 0.0, **self.totals}
        device = self.device
        found = table(
            f"{self.trace.model} on {device.title}",
            _HEADINGS,
            [_cells(row) for row in self.layers],
            left=("bound",),
            footer=_cells(whole),
            caption=[
                f"{self._run()}. Ridge point {device.ridge(self._dtype):.1f} FLOP/B.",
                f"Ceilings: {_ceilings(device, self._dtype)}; {_bandwidths(device)}; "
                f"{1e6 * device.launch:.3g} us a launch{_assumed(device)}. "
                f"Source: {_source(device)}.",
                "Least times, one operator after the other: every operand read and every result "
                f"written once, no fusion, {_cache(device)}. Of the whole, " + self._by_bound(),
            ],
        )
        return [found]

    def data(self) -> dict[str, Any]:
        """Everything, with exact integers."""
        return {
            "model": self.trace.model,
            "mode": self.trace.mode,
            "batch": self.trace.batch,
            "device": device_row(self.device),
            "dtype": self._dtype,
            "totals": self.totals,
            "layers": self.layers,
        }

    @property
    def _dtype(self) -> str:
        return dtype_of(self.trace, tf32=self.tf32)

    def _run(self) -> str:
        inputs = ", ".join(shape(sizes) for _, sizes, _ in self.trace.inputs)
        return f"Input {inputs}, {self._dtype}, {self.trace.mode}"

    def _by_bound(self) -> str:
        spent = self.totals["bound_ms"]
        whole = sum(spent.values()) or 1.0
        return ", ".join(f"{100 * ms / whole:.0f} % {bound}" for bound, ms in spent.items()) + "."


def _ceilings(device: Device, dtype: str) -> str:
    rates = [f"{name} {rate / 1e12:.4g}" for name, rate in device.peaks.items()]
    found = ", ".join(rates) + " TFLOP/s"
    return found if dtype in device.peaks else f"{found}, {dtype} at the rate of fp32"


def _bandwidths(device: Device) -> str:
    found = f"{device.bandwidth / 1e9:.4g} GB/s"
    if device.cache_bandwidth is None:
        return found
    return f"{found}, {device.cache_bandwidth / 1e9:.4g} GB/s in cache"


def _assumed(device: Device) -> str:
    return " (assumed)" if device.basis == "published" else ""


def _cache(device: Device) -> str:
    if device.cache_bandwidth is None:
        return "nothing left in a cache"
    return f"in cache what fits into {memory(device.cache_bytes)}"


def _source(device: Device) -> str:
    doubt = f"; not confirmed: {', '.join(device.unconfirmed)}" if device.unconfirmed else ""
    note = f"; {device.note}" if device.note else ""
    return f"{device.source}{note}{doubt}"


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["path"],
        count(row["flops"]),
        memory(row["bytes"]),
        f"{row['intensity']:.2f}",
        f"{count(round(1e9 * row['attainable_gflops']))}/s",
        row["bound"] or "",
        f"{row['least_ms']:.4f}",
        percent(row["share"]),
    ]
