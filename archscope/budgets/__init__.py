"""Bounds on what a model may cost, and whether it keeps them."""

from archscope.budgets.bounds import Bound, Finding, check, parse_bound, quantity
from archscope.budgets.configuration import Budget, read_budgets

__all__ = ["Bound", "Budget", "Finding", "check", "parse_bound", "quantity", "read_budgets"]
