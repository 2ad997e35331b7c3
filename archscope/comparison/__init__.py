"""Networks beside each other: a row per network, what each costs and how well it classifies."""

from archscope.comparison.compare import compare
from archscope.comparison.pareto import pareto
from archscope.comparison.row import ANALYSES, network_row

__all__ = ["ANALYSES", "compare", "network_row", "pareto"]
