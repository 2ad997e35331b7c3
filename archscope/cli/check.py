"""``archscope check``: whether models keep their budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.cached import Given, cached
from archscope.cli.completion import references
from archscope.cli.errors import remark
from archscope.cli.options import Asked, model_options
from archscope.cli.output import deliver
from archscope.cli.tables import output_in
from archscope.errors import ArchscopeError, InvalidInput
from archscope.report.table import FORMATS, Table

if TYPE_CHECKING:
    from archscope.budgets import Budget, Finding

_BOUNDS = {
    "max-params": "26M",
    "max-macs": "4.2G",
    "max-flops": "8.5G",
    "max-activations": "12M",
    "max-weights": "100MiB",
    "max-peak": "200MiB",
    "max-depth": "50",
    "max-latency-ms": "15",
    "min-coverage": "1",
}
_FORMATS = (*FORMATS, "junit", "github")
_PROJECT = "pyproject.toml"


def _bounds(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, example in reversed(_BOUNDS.items()):
        most = "At most" if name.startswith("max") else "At least"
        command = click.option(f"--{name}", metavar=example, help=f"{most} that.")(command)
    return command


def _networks(given: Given) -> Sequence[str] | None:
    """A latency is measured, and not kept; what a project's file says is part of what is read."""
    if any(given[name.replace("-", "_")] is not None for name in _BOUNDS):
        return None if given["max_latency_ms"] is not None else [given["model"] or ""]
    try:
        budgets = _from_project(given["config"], given["model"])
    except ArchscopeError:  # the command says so, if nothing else is wrong
        return None
    if any(budget.is_measured for budget in budgets):
        return None
    makers = [str(budget.settings.get("inputs") or budget.reference) for budget in budgets]
    return [*(budget.reference for budget in budgets), *makers]


@cached(_networks, statuses=(0, 1))
@click.command()
@click.argument("model", required=False, shell_complete=references)
@_bounds
@click.option("--config", metavar="FILE", help=f"Where the budgets are; {_PROJECT} if absent.")
@click.option("--device", metavar="cpu|cuda[:N]", help="For --max-latency-ms; cpu if absent.")
@model_options()
@output_in(_FORMATS)
def check(
    model: str | None,
    config: str | None,
    device: str | None,
    asked: Asked,
    format: str | None,
    width: int | None,
    file: str | None,
    **limits: str | None,
) -> None:
    """Check MODEL against the bounds that are given, and exit with 1 if it misses one.

    Without a bound, the budgets of [tool.archscope.budgets] in pyproject.toml are checked: MODEL's,
    or without a MODEL those of every model there.
    """
    given = {name.replace("_", "-"): limit for name, limit in limits.items() if limit is not None}
    if given and model is None:
        raise InvalidInput("bounds are for a MODEL: archscope check resnet50 --max-macs 4.2G")
    if given and config is not None:
        raise InvalidInput("give either bounds or the --config that has them, not both")
    if model is not None and given:
        budgets = [_asked_for(model, given, asked, device)]
    elif asked != Asked() or device is not None:
        raise InvalidInput(f"without a bound, {_PROJECT} says how each model is analysed; add one")
    else:
        budgets = _from_project(config, model)
    findings = {budget.reference: _checked(budget) for budget in budgets}
    deliver(partial(_drawn, findings), format=format, width=width, file=file)
    if not all(finding.kept for found in findings.values() for finding in found):
        raise click.exceptions.Exit(1)


def _asked_for(model: str, limits: dict[str, str], asked: Asked, device: str | None) -> Budget:
    from archscope.budgets import Budget
    from archscope.budgets.configuration import bound_named

    bounds = tuple(bound_named(name, limit) for name, limit in limits.items())
    budget = Budget(model, bounds, asked.arguments(model), device or "cpu")
    if device is not None and not budget.is_measured:
        raise InvalidInput("--device is for --max-latency-ms; nothing else is measured")
    return budget


def _checked(budget: Budget) -> list[Finding]:
    from archscope.analysis import analyze
    from archscope.budgets import Workload, check, measured

    report = analyze(budget.reference, **budget.settings)
    for warning in report.warnings:
        remark(f"warning: {budget.reference}: {warning}")
    if not budget.is_measured:
        return check(report, budget.bounds)
    settings = dict(budget.settings)
    inputs = settings.pop("inputs", None)
    latency = measured(Workload(budget.reference, inputs, settings, budget.device))
    return check(report, budget.bounds, latency)


def _from_project(config: str | None, model: str | None) -> list[Budget]:
    from archscope.budgets import read_budgets

    if config is None and not Path(_PROJECT).exists():
        raise InvalidInput(
            f"there is no bound and no {_PROJECT}; write archscope check resnet50 --max-macs 4.2G"
        )
    budgets = read_budgets(config or _PROJECT)
    chosen = [budget for budget in budgets if model in (None, budget.reference)]
    if not chosen:
        what = f"no budget of {model}" if model else "no [tool.archscope.budgets]"
        raise InvalidInput(f"{config or _PROJECT} has {what}, and no bound is given")
    return chosen


def _drawn(
    findings: Mapping[str, Sequence[Finding]], format: str, *, width: int, colour: bool
) -> str:
    from archscope.budgets.continuous_integration import github, junit
    from archscope.report.drawing import draw

    if format == "junit":
        return junit(findings)
    if format == "github":
        return github(findings)
    rows = [_row(model, finding) for model, found in findings.items() for finding in found]
    return draw([_table(findings)], format, data=rows, rows=rows, width=width, colour=colour)


def _table(findings: Mapping[str, Sequence[Finding]]) -> Table:
    from archscope.budgets.costs import written
    from archscope.report.drawing import table

    missed = [
        f"{model}: {finding.message}."
        for model, found in findings.items()
        for finding in found
        if not finding.kept
    ]
    return table(
        "budgets",
        ["model", "bound", "value", ""],
        [
            [
                model,
                str(finding.bound),
                written(finding.bound.cost, finding.value),
                "kept" if finding.kept else "missed",
            ]
            for model, found in findings.items()
            for finding in found
        ],
        left=["bound", ""],
        caption=missed or ["All bounds are kept."],
    )


def _row(model: str, finding: Finding) -> dict[str, Any]:
    limit = finding.bound.limit
    return {
        "model": model,
        "cost": finding.bound.cost,
        "comparison": finding.bound.comparison,
        "limit": int(limit) if limit.denominator == 1 else float(limit),
        "value": finding.value,
        "kept": finding.kept,
        "message": finding.message,
    }
