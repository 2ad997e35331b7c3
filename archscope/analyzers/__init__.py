"""Analyzers: pure functions of a trace, each a table."""

from archscope.analyzers.compute import compute, coverage
from archscope.analyzers.depth import paths
from archscope.analyzers.parameters import parameters

__all__ = ["compute", "coverage", "parameters", "paths"]
