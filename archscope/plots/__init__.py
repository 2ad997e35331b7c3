"""Pictures: pure functions of tables, each a matplotlib Figure."""

from archscope.plots.accuracy import accuracy_vs_ops
from archscope.plots.depth import depth, gradient_flow, through_time
from archscope.plots.files import save
from archscope.plots.memory import timeline as memory_timeline

__all__ = [
    "accuracy_vs_ops",
    "depth",
    "gradient_flow",
    "memory_timeline",
    "save",
    "through_time",
]
