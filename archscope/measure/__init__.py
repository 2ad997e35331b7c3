"""What cannot be derived, measured on the device at hand."""

from archscope.measure.energy import energy
from archscope.measure.latency import latency

__all__ = ["energy", "latency"]
