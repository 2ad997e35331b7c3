"""Which layers spend most of a cost, for the bound that is missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from archscope.budgets.costs import COSTS, written

if TYPE_CHECKING:
    from archscope.report import Report

SPENDERS = 3  # that a missed bound names


def spenders(report: Report, cost: str) -> tuple[str, ...]:
    """The layers that spend most, each with what it spends, as a person reads it.

    Of the peak, the bytes that were alive at it. Of the depth, the blocks with most weight layers
    on the longest path. Of the coverage, the operators without a formula.
    """
    match cost:
        case "peak":
            from archscope.analyzers.memory import layer_rows

            rows: Iterable[Mapping[str, Any]] = layer_rows(report.trace, report.layer_records)
            return most(cost, _by_path(rows, "peak_bytes"))
        case "depth":
            return most(cost, _weight_layers(report))
        case "coverage":
            from archscope.analyzers.compute import uncovered

            gaps = Counter(op.name for op in uncovered(report.trace))
            return tuple(f"{name} ({times} times)" for name, times in gaps.most_common(SPENDERS))
        case _:
            layers = [row for row in report.rows if row["kind"] != "Input"]
            return most(cost, _by_path(layers, COSTS[cost].total))


def most(cost: str, spent: Mapping[str, float]) -> tuple[str, ...]:
    """The largest of what was spent, as a person reads it."""
    largest = sorted(spent.items(), key=lambda item: -item[1])[:SPENDERS]
    return tuple(f"{path} {written(cost, value)}" for path, value in largest if value)


def _by_path(rows: Iterable[Mapping[str, Any]], column: str) -> dict[str, int]:
    spent: dict[str, int] = {}
    for row in rows:
        spent[row["path"]] = spent.get(row["path"], 0) + row[column]
    return spent


def _weight_layers(report: Report) -> dict[str, int]:
    """By outermost module, the steps of the longest path that its weight layers make."""
    from archscope.analyzers.distances import distances

    near = distances(report.trace)
    longest = report.sums["depth"]
    steps: dict[str, set[int]] = {}
    for op in report.trace.forward:
        if op.weight_layer and op.index in near:
            before, behind = near[op.index].longest_from_input, near[op.index].longest_to_output
            if before is not None and behind is not None and before + behind == longest:
                steps.setdefault(op.module.partition(".")[0], set()).add(before)
    return {block: len(found) for block, found in steps.items()}
