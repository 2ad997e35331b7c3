"""The ten figures of Canziani et al.: five that follow from the networks, five from a device."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from archscope.gallery.data import Device, Measured
from archscope.gallery.items import DATA, Absent, Item, Picture, Section
from archscope.gallery.networks import CANZIANI

_IDEAS = "Canziani's ten figures: what is measured"
# Kind, file, title, and the column that it is drawn from.
_MEASURED = (
    ("time-vs-batch", "Figure 3: time per image over the batch", "latency_ms_p50"),
    ("power-vs-batch", "Figure 4: power over the batch", "power_w"),
    ("ops-vs-time", "Figure 7: operations over time", "latency_ms_p50"),
    ("ops-vs-power", "Figure 8: operations over power", "power_w"),
    ("accuracy-vs-throughput", "Figure 9: accuracy over images per second", "throughput_per_s"),
)


def derived_figures() -> list[Item]:
    """Figures 1, 2, 5, 6 and 10."""
    return [
        Picture(
            "accuracy",
            "Figure 1: top-1 accuracy",
            "One crop of the centre of the image, as published; protocols are not mixed.",
            ("accuracy", *CANZIANI),
        ),
        Picture(
            "accuracy-vs-ops",
            "Figure 2: accuracy over operations",
            "The figure on which the course ends. Area is for parameters.",
            ("accuracy-vs-ops", *CANZIANI),
        ),
        Picture(
            "memory-vs-batch",
            "Figure 5: memory over the batch",
            "",
            ("memory-vs-batch", *CANZIANI, "--over", "batch=1..64"),
        ),
        Picture(
            "memory-vs-params",
            "Figure 6: memory over parameters",
            "",
            ("memory-vs-params", *CANZIANI),
        ),
        Picture(
            "density",
            "Figure 10: accuracy per parameter",
            "What a parameter is worth.",
            ("density", *CANZIANI),
        ),
    ]


def measured_figures(measured: Measured) -> Iterator[Section]:
    """Figures 3, 4, 7, 8 and 9 of each device, or that they were not measured."""
    if not measured.devices:
        reason = "there is no device in `data/`"
        yield Section(_IDEAS, "", [Absent(title, reason) for _, title, _ in _MEASURED])
    for device in measured.devices:
        yield Section(f"{_IDEAS}, {device.title}", _conditions(device), list(_figures(device)))


def _conditions(device: Device) -> str:
    known = device.conditions
    threads = known.get("threads")
    on = f"{threads} thread{'s' * (threads != 1)}, " if device.title and threads else ""
    text = (
        f"Measured on {device.title}, {on}{known.get('dtype')}, torch {known.get('torch')}, "
        f"{str(known.get('date'))[:10]}; all conditions and samples are in "
        f"[data/{device.name}.json](data/{quote(device.name)}.json)."
    )
    others = any(row.get("disturbed") for row in device.rows)
    return f"{text} Other programs ran at the same time, as the rows say." if others else text


def _figures(device: Device) -> Iterator[Item]:
    file = f"{DATA}/{device.name}.json"
    for kind, title, column in _MEASURED:
        networks = device.networks(column)
        if networks:
            words = (kind, *networks, "--measured", file)
            yield Picture(f"{device.name}-{kind}", title, "", words)
        else:
            needed = "energy" if column == "power_w" else "latency"
            yield Absent(title, device.why_not(needed))
