"""Pictures: pure functions of tables, each a matplotlib Figure."""

from archscope.plots.depth import depth, gradient_flow, through_time

__all__ = ["depth", "gradient_flow", "through_time"]
