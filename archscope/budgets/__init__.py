"""Bounds on what a model may cost, and whether it keeps them."""

from archscope.budgets.bounds import Bound, Finding, check, parse_bound
from archscope.budgets.configuration import Budget, read_budgets
from archscope.budgets.costs import COSTS, quantity
from archscope.budgets.latency import Latency, Workload, measured

__all__ = [
    "COSTS",
    "Bound",
    "Budget",
    "Finding",
    "Latency",
    "Workload",
    "check",
    "measured",
    "parse_bound",
    "quantity",
    "read_budgets",
]
