"""Pictures: pure functions of tables, each a matplotlib Figure."""

from archscope.plots.depth import depth, gradient_flow, through_time
from archscope.plots.memory import timeline as memory_timeline
from archscope.plots.roofline import roofline

__all__ = ["depth", "gradient_flow", "memory_timeline", "roofline", "through_time"]
