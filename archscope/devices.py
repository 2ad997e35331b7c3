"""Cards of devices: what their makers say they do at most. Reading them imports no torch."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from archscope.errors import InvalidInput, UnknownName

TABLE = Path(__file__).parent / "data" / "devices.toml"
LEARNED = Path(__file__).parent / "data" / "efficiency.json"

DTYPES = ("fp64", "fp32", "tf32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class Device:
    """A device's ceilings: FLOP/s of matrix products per dtype, bytes/s of memory, s per launch.

    The product rates are dense, those of tensor cores where there are any. ``source`` says who
    published or measured them, ``checked`` which pages confirm them and ``unconfirmed`` what none
    did ("fp64", "bandwidth"). ``cache_bandwidth`` is for operators that touch no more than
    ``cache_bytes``; None where only the memory's is known.
    """

    name: str
    title: str
    kind: str  # "gpu" or "cpu"
    year: int
    peaks: Mapping[str, float]
    bandwidth: float
    launch: float
    power_w: float | None
    source: str
    memory_bytes: int | None = None
    note: str = ""
    checked: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    cache_bandwidth: float | None = None
    cache_bytes: int = 0
    threads: int | None = None  # of a CPU whose ceilings were measured
    basis: str = "published"  # or "measured"

    def product_rate(self, dtype: str) -> float:
        """FLOP/s of matrix products; a dtype without units of its own runs at the fp32 rate."""
        if dtype not in DTYPES:
            raise InvalidInput(f"dtype '{dtype}' is not known; it is one of {', '.join(DTYPES)}")
        return self.peaks.get(dtype, self.peaks["fp32"])

    def vector_rate(self, dtype: str) -> float:
        """FLOP/s of all else, which tensor cores don't do: frameworks compute it in fp32."""
        return min(self.product_rate("fp32"), self.product_rate(dtype))

    def bandwidth_for(self, traffic: int) -> float:
        """Bytes/s at which an operator can touch so many bytes: a cache's, if they fit there."""
        if self.cache_bandwidth is None or traffic > self.cache_bytes:
            return self.bandwidth
        return self.cache_bandwidth

    def ridge(self, dtype: str) -> float:
        """FLOP/B at which both ceilings meet (Williams et al. 2009)."""
        return self.product_rate(dtype) / self.bandwidth


@cache
def devices() -> Mapping[str, Device]:
    """Every card by name, the GPUs first, then the devices whose own ceilings are shipped."""
    cards = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = {name: _device(name, card) for name, card in cards.items()}
    for entry in json.loads(LEARNED.read_text(encoding="utf-8")):
        found.setdefault(entry["device"]["name"], device_from(entry["device"]))
    return found


def device_from(fields: Mapping[str, Any]) -> Device:
    """A device from its fields as JSON keeps them."""
    several = {name: tuple(fields[name]) for name in ("checked", "unconfirmed")}
    return Device(**{**fields, **several})


def find_device(name: str) -> Device:
    """The card of that name: "h100", "RTX 4090".

    Raises:
        UnknownName: there is none.
    """
    known = devices()
    plain = name.lower().replace(" ", "-").replace("_", "-")
    for card in (plain, plain.replace("rtx", "rtx-")):
        if card in known:
            return known[card]
    raise UnknownName("device", name, known, "archscope device list")


def _device(name: str, card: Mapping[str, object]) -> Device:
    fields: dict[str, object] = dict(card)
    tflops: Mapping[str, float] = fields.pop("tflops")  # type: ignore[assignment]
    memory = fields.pop("memory_gb", None)
    for several in ("checked", "unconfirmed"):
        fields[several] = tuple(fields.get(several, ()))  # type: ignore[arg-type]
    return Device(
        name=name,
        peaks={dtype: rate * 1e12 for dtype, rate in tflops.items()},
        bandwidth=float(fields.pop("bandwidth_gb_s")) * 1e9,  # type: ignore[arg-type]
        launch=float(fields.pop("launch_us")) * 1e-6,  # type: ignore[arg-type]
        memory_bytes=None if memory is None else int(float(memory) * 1e9),  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )
