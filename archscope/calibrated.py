"""What ``archscope device calibrate`` measured here, kept between runs. Reading needs no torch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archscope.devices import DTYPES, Device, find_device
from archscope.errors import ArchscopeError, InvalidInput

_TEXTS = ("device", "title", "date", "torch")
_RATES = ("bandwidth_gb_s", "cache_gb_s", "cache_bytes", "launch_us")

# Where a calibration has none: the orders of magnitude of data/devices.toml.
_LAUNCH = {"cpu": 1e-6, "gpu": 3e-6}


def cache_file() -> Path:
    """Where calibrations are kept: $XDG_CACHE_HOME/archscope, or ~/.cache/archscope.

    Raises:
        InvalidInput: it would be in a home directory, and there is none.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(base).expanduser() / "archscope" / "calibration.json"
    except RuntimeError:
        raise InvalidInput(
            "there is no home directory for calibrations; set XDG_CACHE_HOME"
        ) from None


def calibrated() -> list[dict[str, Any]]:
    """What was calibrated here before; nothing of what cannot be read or is no calibration."""
    try:
        found = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, InvalidInput):
        return []
    return [row for row in found if _is_sound(row)] if isinstance(found, list) else []


def _is_sound(row: Any) -> bool:
    """Whether it has what a calibration is read for, each of its kind."""
    if not isinstance(row, dict) or not isinstance(row.get("tflops"), dict):
        return False
    rates = [*row["tflops"].values(), *(row.get(name) for name in _RATES)]
    return (
        all(isinstance(row.get(name), str) for name in _TEXTS)
        and row["date"][:4].isdecimal()
        and set(row["tflops"]) <= set(DTYPES)
        and all(rate is None or _is_positive(rate) for rate in rates)
        and (row.get("threads") is None or _is_positive(row["threads"]))
    )


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def ceilings(title: str, threads: int | None) -> dict[str, Any] | None:
    """The calibration of a device, of the CPU with so many threads; None where none is whole."""
    for row in calibrated():
        if (row.get("title"), row.get("threads")) == (title, threads) and _is_whole(row):
            return row
    return None


def _is_whole(row: Mapping[str, Any]) -> bool:
    return bool(row["tflops"].get("fp32") and row.get("bandwidth_gb_s"))


def device_named(name: str, threads: int | None = None) -> Device:
    """A card by name, or the device at hand ("cpu", "cuda:0") with its calibrated ceilings.

    Args:
        name: as in ``archscope device list``, or "cpu", "cuda" or "cuda:N".
        threads: of the CPU at hand; torch's own choice by default.

    Raises:
        UnknownName: there is no such card.
        InvalidInput: the device at hand was not calibrated, or threads of a card.
    """
    if name.partition(":")[0] in ("cpu", "cuda"):
        return measured_device(name, threads)
    found = find_device(name)
    if threads is not None:
        raise InvalidInput(f"threads are for the CPU at hand (cpu), not for {found.name}")
    return found


def measured_device(name: str, threads: int | None = None) -> Device:
    """The device at hand with the ceilings that were calibrated on it.

    Args:
        name: "cpu", "cuda" or "cuda:N".
        threads: of the CPU; torch's own choice by default.

    Raises:
        InvalidInput: there is no such device, or it was not calibrated with so many threads.
    """
    import torch

    from archscope.measure.devices import device_at_hand

    at_hand = device_at_hand(name)
    count = (threads or torch.get_num_threads()) if at_hand.name == "cpu" else None
    row = ceilings(at_hand.title, count)
    if row is None:
        setting = f" --threads {count}" if count else ""
        of = f" on {count} thread{'s' * (count > 1)}" if count else ""
        raise InvalidInput(
            f"{at_hand.name} was not calibrated{of}; run "
            f"`archscope device calibrate --device {at_hand.name}{setting}` once"
        )
    return device_of(row)


def device_of(row: Mapping[str, Any], *, source: str = "measured here") -> Device:
    """A calibration as a device; ``source`` says what was done and where."""
    kind, count = ("cpu" if row["device"] == "cpu" else "gpu"), row["threads"]
    of = f", {count} thread{'s' * (count > 1)}" if count else ""
    cache, launch = row.get("cache_gb_s"), row.get("launch_us")
    return Device(
        name=row["device"],
        title=f"{row['title']}{of}",
        kind=kind,
        year=int(row["date"][:4]),
        peaks={dtype: rate * 1e12 for dtype, rate in row["tflops"].items() if rate},
        bandwidth=row["bandwidth_gb_s"] * 1e9,
        launch=launch * 1e-6 if launch else _LAUNCH[kind],
        power_w=None,
        source=f"{source} on {row['date'][:10]} with torch {row['torch']}",
        cache_bandwidth=cache * 1e9 if cache else None,
        cache_bytes=row.get("cache_bytes") or 0,
        note="" if launch else "the time of a launch is assumed",
        threads=count,
        basis="measured",
    )


def remember(rows: Sequence[dict[str, Any]]) -> Path:
    """Keep calibrations, in place of earlier ones of the same device and threads.

    Raises:
        ArchscopeError: they cannot be written.
    """
    new = {(row["title"], row["threads"]) for row in rows}
    kept = [row for row in calibrated() if (row.get("title"), row.get("threads")) not in new]
    path = cache_file()
    text = json.dumps([*kept, *rows], indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ArchscopeError(f"cannot write {path}: {error.strerror}") from error
    return path
