"""What devices can do, published and measured, as tables and as data. It needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archscope.devices import DTYPES, Device
from archscope.report.drawing import table
from archscope.report.table import Table


def devices_table(cards: Sequence[Device]) -> Table:
    """Published ceilings, a row per device."""
    rates = [dtype for dtype in DTYPES if dtype != "fp64"]
    rows = [
        [
            card.title,
            card.name,
            *(_shown(card, dtype, card.peaks.get(dtype, 0) / 1e12) for dtype in rates),
            _shown(card, "bandwidth", card.bandwidth / 1e9),
        ]
        for card in cards
    ]
    return table(
        "devices",
        ["device", "name", *rates, "GB/s"],
        rows,
        left=("name",),
        caption=[
            "TFLOP/s of matrix products, dense, as published; tf32, bf16 and fp16 are the tensor "
            "cores' where there are any. A dtype without a rate runs at that of fp32. GPUs at "
            "their boost clock, CPUs at their base clock. The cards were compared with other "
            "pages; ? is what none of them gave. With a number of threads: measured ceilings, of "
            "which efficiency is known. Sources, pages and notes: --format csv."
        ],
    )


def _shown(card: Device, what: str, value: float) -> str:
    if not value:
        return ""
    return f"{value:.4g}{'?' * (what in _doubt(card))}"


def _doubt(card: Device) -> tuple[str, ...]:
    """What no page confirms: of a card that was compared with none, everything."""
    if card.basis == "measured" or card.checked:
        return card.unconfirmed
    return (*card.peaks, "bandwidth")


def device_row(card: Device) -> dict[str, Any]:
    """A device as plain values."""
    return {
        "name": card.name,
        "title": card.title,
        "kind": card.kind,
        "year": card.year,
        **{f"{dtype}_tflops": _tera(card.peaks.get(dtype)) for dtype in DTYPES},
        "bandwidth_gb_s": card.bandwidth / 1e9,
        "cache_gb_s": None if card.cache_bandwidth is None else card.cache_bandwidth / 1e9,
        "threads": card.threads,
        "memory_bytes": card.memory_bytes,
        "power_w": card.power_w,
        "launch_us": round(1e6 * card.launch, 3),
        "source": card.source,
        "note": card.note,
        "checked": " ".join(card.checked),
        "unconfirmed": " ".join(_doubt(card)),
        "basis": card.basis,
    }


def _tera(rate: float | None) -> float | None:
    return None if rate is None else round(rate / 1e12, 6)


def calibration_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per device and number of threads; a dtype that none has is no column."""
    dtypes = [dtype for dtype in DTYPES if any(dtype in row["tflops"] for row in rows)]
    cells = [
        [
            row["title"],
            "" if row["threads"] is None else str(row["threads"]),
            *(_rate(row["tflops"].get(dtype)) for dtype in dtypes),
            _figure(row["bandwidth_gb_s"]),
            _figure(row.get("cache_gb_s")),
            _figure(row.get("launch_us")),
            row["date"][:10] + (" partial" if row.get("status") == "partial" else ""),
        ]
        for row in rows
    ]
    return table(
        "calibrated here",
        ["device", "threads", *dtypes, "GB/s", "cached", "us", "date"],
        cells,
        caption=[
            "TFLOP/s of torch.mm on random matrices, or on a CPU of a 3x3 convolution where that "
            "is faster; GB/s of a copy far larger than any cache, then of one that fits; us of an "
            "operator that has nothing to do. Medians.",
            *_disturbed(rows),
        ],
    )


def _disturbed(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What makes ceilings too low, and all that is held against them too good."""
    told = [
        f"{row['title']}{f', {n} threads' if (n := row['threads']) else ''}: {row['disturbed']}"
        for row in rows
        if row.get("disturbed")
    ]
    return [f"Disturbed, measure again: {'; '.join(told)}."] if told else []


def _rate(tflops: float | None) -> str:
    return "" if tflops is None else f"{tflops:.3g}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
