"""Where the gradient really goes: measured on real tensors, exact for every path length."""

from archscope.gradients.flow import gradient_flow
from archscope.gradients.paths import gradient_paths
from archscope.gradients.steps import gradient_through_time

__all__ = ["gradient_flow", "gradient_paths", "gradient_through_time"]
