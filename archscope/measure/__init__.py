"""What cannot be derived, measured on the device at hand."""

from archscope.measure.latency import latency

__all__ = ["latency"]
