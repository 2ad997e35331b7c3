"""The costs that may be bounded, and how quantities of each are read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archscope.errors import InvalidInput, UnknownName

_COUNTS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES = {f"{prefix}B": factor for prefix, factor in _COUNTS.items()}
_BYTES |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)}
_LARGEST = 10**30
_EXAMPLES = {
    "count": "26M or 4.2G",
    "bytes": "200MiB or 1.5GB",
    "share": "1 or 0.99",
    "ms": "15 or 2.5",
}
_UNITS: dict[str, Mapping[str, int]] = {
    "count": _COUNTS,
    "bytes": _COUNTS | _BYTES,
    "share": {"": 1},
    "ms": {"": 1, "ms": 1},
}


@dataclass(frozen=True)
class Cost:
    """A cost by the name that bounds have for it: of the report's totals, or measured."""

    total: str
    unit: str = "count"


COSTS = {
    "params": Cost("params"),
    "macs": Cost("macs"),
    "flops": Cost("flops"),
    "activations": Cost("activations"),
    "weights": Cost("weight_bytes", "bytes"),
    "peak": Cost("peak_bytes", "bytes"),
    "depth": Cost("depth"),
    "coverage": Cost("coverage", "share"),
    "latency_ms": Cost("", "ms"),
}


def cost_named(name: str) -> Cost:
    """The cost of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in COSTS:
        raise UnknownName("cost", name, COSTS, see="archscope check --help")
    return COSTS[name]


def quantity(text: str | float, unit: str = "bytes") -> Fraction:
    """A number with a unit, exactly: 26M, 4.2G, 1e9 (10^3k); 200MiB, 1.5GB (bytes); 15ms.

    Args:
        text: as a person writes it.
        unit: of what it is a quantity: "count", "bytes", "share" or "ms".

    Raises:
        InvalidInput: it is no number, is negative, or has another unit; a share is more than 1,
            or a count not whole.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*(?:[eE][+-]?\d{1,2})?)\s*([A-Za-z]*)\s*", str(text))
    known = {name.lower(): factor for name, factor in _UNITS[unit].items()}
    if match is None or match[2].lower() not in known:
        raise InvalidInput(f"'{text}' is no quantity; write {_EXAMPLES[unit]}")
    value = Fraction(match[1]) * known[match[2].lower()]
    if value > _LARGEST:
        raise InvalidInput(f"'{text}' is more than any network has; write {_EXAMPLES[unit]}")
    if unit == "share" and value > 1:
        raise InvalidInput(f"'{text}' is no share, which is 1 at most; write {_EXAMPLES[unit]}")
    if unit == "count" and value.denominator > 1:
        raise InvalidInput(f"'{text}' is no whole number, as counts are; write {_EXAMPLES[unit]}")
    return value


def written(cost: str, value: Any) -> str:
    """A value of that cost as a person reads it."""
    from archscope.report.numbers import count, memory

    match COSTS[cost].unit:
        case "share":
            return f"{100 * float(value):.2f} %"
        case "ms":
            return f"{float(value):.4g} ms" if value < 1e4 else f"{float(value):,.0f} ms"
        case "bytes":
            return memory(round(value))
    return count(round(value), digits=4)
