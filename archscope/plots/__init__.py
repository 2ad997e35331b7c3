"""Pictures: pure functions of tables, each a matplotlib Figure."""

from archscope.plots.bars import accuracy, density
from archscope.plots.costs import accuracy_vs_depth, memory_vs_params, timeline
from archscope.plots.curves import memory_vs_batch, power_vs_batch, scaling, time_vs_batch
from archscope.plots.depth import depth, gradient_flow, through_time
from archscope.plots.files import save
from archscope.plots.layer_bars import layers
from archscope.plots.memory import timeline as memory_timeline
from archscope.plots.operations import accuracy_vs_ops, ops_vs_power, ops_vs_time
from archscope.plots.roofline import roofline
from archscope.plots.throughput import accuracy_vs_throughput

__all__ = [
    "accuracy",
    "accuracy_vs_depth",
    "accuracy_vs_ops",
    "accuracy_vs_throughput",
    "density",
    "depth",
    "gradient_flow",
    "layers",
    "memory_timeline",
    "memory_vs_batch",
    "memory_vs_params",
    "ops_vs_power",
    "ops_vs_time",
    "power_vs_batch",
    "roofline",
    "save",
    "scaling",
    "through_time",
    "time_vs_batch",
    "timeline",
]
