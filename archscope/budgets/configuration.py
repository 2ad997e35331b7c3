"""Budgets in ``pyproject.toml``.

::

    [tool.archscope.budgets."net.py:Net"]
    input = "3x224x224"
    max-macs = "4.2G"
    max-peak = "200MiB"
    min-coverage = 1
    max-latency-ms = 15
    device = "cpu"
    options = { num_classes = 10 }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archscope.budgets.bounds import Bound
from archscope.budgets.costs import COSTS, quantity
from archscope.errors import InvalidInput, UnknownOption, unreadable

SETTINGS = ("batch", "input", "inputs", "mode", "device", "options")


@dataclass(frozen=True)
class Budget:
    """A model, how to analyse it, and its bounds."""

    reference: str
    bounds: tuple[Bound, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)  # arguments of analyze
    device: str = "cpu"  # on which a latency is measured

    @property
    def is_measured(self) -> bool:
        """Whether one of the bounds needs a measurement."""
        return any(bound.is_measured for bound in self.bounds)


def bound_named(name: str, limit: Any) -> Bound:
    """The bound of an option or key: "max-macs" is macs <= limit, "min-coverage" coverage >=.

    Raises:
        UnknownOption: no such bound.
        InvalidInput: the limit is no quantity.
    """
    side, _, cost = name.replace("-", "_").partition("_")
    if side not in ("max", "min") or cost not in COSTS:
        known = [f"{side}-{cost.replace('_', '-')}" for cost in COSTS for side in ("max", "min")]
        raise UnknownOption("a budget", name, [*known, *SETTINGS])
    try:
        return Bound(cost, "<=" if side == "max" else ">=", quantity(limit, COSTS[cost].unit))
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from None


def read_budgets(path: str | Path = "pyproject.toml") -> list[Budget]:
    """The budgets of a project, none where it has none.

    Raises:
        InvalidInput: the file cannot be read, or a budget is no table.
        UnknownOption: a key that is neither a bound nor a setting.
    """
    try:
        with Path(path).open("rb") as file:
            content = tomllib.load(file)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise unreadable(path, error) from error
    tables: Any = content
    for key in ("tool", "archscope", "budgets"):
        tables = tables.get(key, {})
        if not isinstance(tables, dict):
            raise InvalidInput(f"{path}: {key} is no table; write [tool.archscope.budgets.MODEL]")
    return [_budget(path, reference, table) for reference, table in tables.items()]


def _budget(path: str | Path, reference: str, table: Any) -> Budget:
    if not isinstance(table, dict):
        raise InvalidInput(
            f"{path}: the budget of {reference} is no table; write "
            f'[tool.archscope.budgets."{reference}"] with max-macs = "4.2G" below'
        )
    if not isinstance(table.get("options", {}), dict):
        raise InvalidInput(f"{path}: the options of {reference} are no table")
    bounds = [bound_named(key, limit) for key, limit in table.items() if key not in SETTINGS]
    settings = {key: table[key] for key in ("batch", "input", "inputs", "mode") if key in table}
    budget = Budget(
        reference,
        tuple(bounds),
        {**settings, **table.get("options", {})},
        table.get("device", "cpu"),
    )
    if "device" in table and not budget.is_measured:
        raise InvalidInput(f"{path}: {reference} has a device, but no max-latency-ms to measure")
    return budget
