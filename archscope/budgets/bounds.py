"""A bound, such as at most 4.2G MACs, and what a report says to it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    from archscope.report import Report

# What may be bounded -> the total it is, and the column of layers that spends it.
COSTS: dict[str, tuple[str, str]] = {
    "params": ("params", "params"),
    "macs": ("macs", "macs"),
    "flops": ("flops", "flops"),
    "activations": ("activations", "activations"),
    "weights": ("weight_bytes", "weight_bytes"),
    "peak": ("peak_bytes", "output_bytes"),
    "depth": ("depth", ""),
    "coverage": ("coverage", ""),
}
BYTES = ("weights", "peak")
SPENDERS = 3  # layers that a missed bound names

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
}
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{prefix}B": factor for prefix, factor in _UNITS.items()}
_UNITS |= {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)}


@dataclass(frozen=True)
class Bound:
    """One cost, a comparison and a limit."""

    cost: str
    comparison: str
    limit: Fraction

    def __str__(self) -> str:
        return f"{self.cost} {self.comparison} {written(self.cost, self.limit)}"


@dataclass(frozen=True)
class Finding:
    """What a model has of one bounded cost."""

    bound: Bound
    value: int | float
    kept: bool
    spenders: tuple[tuple[str, int], ...] = ()  # the layers that spend most

    @property
    def missed_by(self) -> Fraction:
        """How far the value is from the limit."""
        return abs(Fraction(self.value) - self.bound.limit)

    @property
    def message(self) -> str:
        """One line: the value, the bound, by how much it is missed and who spends most."""
        cost = self.bound.cost
        value = written(cost, self.value)
        if self.kept:
            return f"{self.bound}: {value}"
        share = f" ({float(100 * self.missed_by / self.bound.limit):.1f} %)"
        text = f"{self.bound} is missed by {written(cost, self.missed_by)}"
        text += f"{share if self.bound.limit else ''}: {value}"
        most = ", ".join(f"{path} {written(cost, spent)}" for path, spent in self.spenders)
        return f"{text}; most in {most}" if most else text


def quantity(text: str | float) -> Fraction:
    """A number with a unit: 26M, 4.2G, 1e9 (10^3k); 200MiB, 1.5GB (bytes).

    Raises:
        InvalidInput: it is no number, is negative, or has another unit.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*", str(text))
    unit = match[2] if match else ""
    known = {name.lower(): factor for name, factor in _UNITS.items()}
    if match is None or unit.lower() not in known:
        raise InvalidInput(f"'{text}' is no quantity; write 26M, 4.2G or 200MiB")
    return Fraction(match[1]) * known[unit.lower()]


def parse_bound(cost: str, text: str | float) -> Bound:
    """A bound as a test writes it: ``macs="<=4.2G"``, ``depth="==50"``, ``coverage=">=1"``.

    Raises:
        UnknownName: no such cost.
        InvalidInput: no comparison or no quantity.
    """
    if cost not in COSTS:
        raise UnknownName("cost", cost, COSTS, see="archscope check --help")
    match = re.fullmatch(r"\s*(<=|>=|==|<|>)\s*(.+)", str(text))
    if match is None:
        raise InvalidInput(f"{cost}='{text}' is no bound; write {cost}='<={text}'")
    return Bound(cost, match[1], quantity(match[2]))


def check(report: Report, bounds: Iterable[Bound]) -> list[Finding]:
    """Hold a report against bounds, in their order."""
    return [_finding(report, bound) for bound in bounds]


def written(cost: str, value: Any) -> str:
    """A value of that cost as a person reads it."""
    from archscope.report.numbers import count, memory

    if cost == "coverage":
        return f"{100 * float(value):.2f} %"
    return memory(round(value)) if cost in BYTES else count(round(value), digits=4)


def _finding(report: Report, bound: Bound) -> Finding:
    total, column = COSTS[bound.cost]
    value = report.sums[total]
    kept = _COMPARE[bound.comparison](Fraction(value), bound.limit)
    return Finding(bound, value, kept, () if kept else _spenders(report.rows, column))


def _spenders(rows: Iterable[Mapping[str, Any]], column: str) -> tuple[tuple[str, int], ...]:
    if not column:
        return ()
    spent: dict[str, int] = {}
    for row in rows:
        if row["kind"] != "Input":
            spent[row["path"]] = spent.get(row["path"], 0) + row[column]
    most = sorted(spent.items(), key=lambda item: -item[1])[:SPENDERS]
    return tuple((path, value) for path, value in most if value)
