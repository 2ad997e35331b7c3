"""Numbers as a reader wants them: K, M, G, T are 10^3k, memory is in KiB, MiB, GiB."""

from __future__ import annotations

from collections.abc import Sequence


def count(value: int, digits: int = 3) -> str:
    """A count in so many significant digits, 1.85G; exact below ten thousand."""
    if abs(value) < 10_000:
        return exact(value)
    scaled = float(value)
    for unit in ("", "K", "M", "G", "T", "P", "E"):
        decimals = max(digits - len(str(int(abs(scaled)))), 0) if unit else 0
        if abs(round(scaled, decimals)) < 1000:
            return f"{scaled:.{decimals}f}{unit}"
        scaled /= 1000
    return f"{value:.{digits - 1}e}"


def exact(value: int) -> str:
    """A whole number with its thousands apart: 36,864."""
    return f"{value:,}"


def plural(value: int, what: str) -> str:
    """1 layer, 2 layers."""
    return f"{exact(value)} {what}{'' if value == 1 else 's'}"


def memory(size: int) -> str:
    """Bytes in the largest fitting unit of 1024^k: 58.1 MiB."""
    scaled = float(size)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if scaled < 1023.95 or unit == "TiB":
            break
        scaled /= 1024
    return f"{size} B" if unit == "B" else f"{scaled:,.1f} {unit}"


def percent(share: float) -> str:
    """A share of the whole in percent; nothing for nothing, so that the eye skips it."""
    if share == 0:
        return ""
    return f"{100 * share:.1f}" if share >= 0.0005 else "<0.1"


def shape(sizes: Sequence[int]) -> str:
    """64x224x224."""
    return "x".join(map(str, sizes)) if sizes else "scalar"


def shape_of_sample(sizes: Sequence[int], batch: int) -> str:
    """The shape without the batch when the batch is 1, so that its product is what is counted."""
    return shape(sizes[1:] if batch == 1 and len(sizes) > 1 and sizes[0] == 1 else sizes)
