"""A bound, such as at most 4.2G MACs, and what a report says to it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archscope.budgets.costs import COSTS, cost_named, quantity, written
from archscope.budgets.spenders import most, spenders
from archscope.errors import InvalidInput

if TYPE_CHECKING:
    from archscope.budgets.latency import Latency
    from archscope.report import Report

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
}


@dataclass(frozen=True)
class Bound:
    """One cost, a comparison and a limit."""

    cost: str
    comparison: str
    limit: Fraction

    def __post_init__(self) -> None:
        if self.is_measured and self.comparison == "==":
            raise InvalidInput(f"no measurement is exact; write {self.cost}='<={self.limit}'")

    def __str__(self) -> str:
        return f"{self.cost} {self.comparison} {written(self.cost, self.limit)}"

    @property
    def is_measured(self) -> bool:
        """Whether a report does not have it."""
        return not COSTS[self.cost].total


@dataclass(frozen=True)
class Finding:
    """What a model has of one bounded cost."""

    bound: Bound
    value: int | float
    kept: bool
    spenders: tuple[str, ...] = ()  # the layers that spend most, and what
    conditions: str = ""  # of a measurement

    @property
    def missed_by(self) -> Fraction:
        """How far the value is from the limit."""
        return abs(Fraction(self.value) - self.bound.limit)

    @property
    def message(self) -> str:
        """One line: the value, the bound, by how much it is missed and who spends most."""
        value = written(self.bound.cost, self.value)
        value += f" ({self.conditions})" if self.conditions else ""
        if self.kept:
            return f"{self.bound}: {value}"
        limit = self.bound.limit
        share = f" ({float(100 * self.missed_by / limit):.1f} %)" if limit else ""
        text = f"{self.bound} is missed by {written(self.bound.cost, self.missed_by)}"
        text += f"{share}: {value}"
        return f"{text}; most in {', '.join(self.spenders)}" if self.spenders else text


def parse_bound(cost: str, text: str | float) -> Bound:
    """A bound as a test writes it: ``macs="<=4.2G"``, ``depth="==50"``, ``coverage=">=1"``.

    Raises:
        UnknownName: no such cost.
        InvalidInput: no comparison or no quantity.
    """
    unit = cost_named(cost).unit
    match = re.fullmatch(r"\s*(<=|>=|==|<|>)\s*(.+)", str(text))
    if match is None:
        raise InvalidInput(f"{cost}='{text}' is no bound; write {cost}='<={text}'")
    return Bound(cost, match[1], quantity(match[2], unit))


def check(report: Report, bounds: Iterable[Bound], latency: Latency | None = None) -> list[Finding]:
    """Hold a report against bounds, in their order.

    Args:
        report: the analysis.
        bounds: on any cost.
        latency: measured, for bounds on it. Of its 95 % interval the end counts that is worse for
            the model: a bound is kept only where the measurement is sure enough to say so.

    Raises:
        InvalidInput: a bound on the latency without a measurement.
    """
    return [
        _of_latency(latency, bound) if bound.is_measured else _of_report(report, bound)
        for bound in bounds
    ]


def _of_report(report: Report, bound: Bound) -> Finding:
    value = report.sums[COSTS[bound.cost].total]
    kept = _COMPARE[bound.comparison](Fraction(value), bound.limit)
    too_much = not kept and (bound.comparison.startswith("<") or bound.cost == "coverage")
    return Finding(bound, value, kept, spenders(report, bound.cost) if too_much else ())


def _of_latency(latency: Latency | None, bound: Bound) -> Finding:
    from archscope.budgets.latency import time_of_layers

    if latency is None:
        raise InvalidInput(f"{bound} needs a measurement")
    upper = bound.comparison.startswith("<")
    value = latency.high if upper else latency.low
    kept = _COMPARE[bound.comparison](Fraction(value), bound.limit)
    slow = () if kept or not upper else most(bound.cost, time_of_layers(latency.workload))
    end = f"{'upper' if upper else 'lower'} end of the 95 % interval, {latency}"
    return Finding(bound, value, kept, slow, end)
