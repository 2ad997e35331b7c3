"""Analyzers: pure functions of a trace, each a table."""

from archscope.analyzers.compute import compute, coverage
from archscope.analyzers.depth import depth, path_summary, paths
from archscope.analyzers.memory import memory
from archscope.analyzers.parameters import parameters
from archscope.analyzers.roofline import roofline

__all__ = [
    "compute",
    "coverage",
    "depth",
    "memory",
    "parameters",
    "path_summary",
    "paths",
    "roofline",
]
