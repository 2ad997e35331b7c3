"""``archscope audit``: the counts of several tools side by side."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.completion import references
from archscope.cli.options import Asked, model_options, names_of
from archscope.cli.tables import output_options, show_tables
from archscope.report.numbers import count, exact
from archscope.report.table import Table

if TYPE_CHECKING:
    from archscope.audit import Audit


@click.command()
@click.argument("model", shell_complete=references)
@click.option("--with", "counters", metavar="NAMES", help="fvcore,torch,torchinfo,ptflops,thop.")
@model_options("mode")
@output_options
def audit(
    model: str,
    asked: Asked,
    counters: str | None,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Count MODEL with several tools, each in its own process, and explain the differences.

    By default with fvcore and torch's FlopCounterMode.
    """
    arguments = asked.arguments(model)
    del arguments["mode"]  # the other tools count inference

    from archscope.audit import audit as run

    names = names_of("--with", counters) or None
    found = run(model, counters=names, **arguments)
    show_tables(
        _tables(found), data=_data(found), rows=_rows(found), format=format, width=width, file=file
    )


def _tables(found: Audit) -> list[Table]:
    from archscope.report.drawing import table

    counts = [["archscope", exact(found.macs), "1", "", ""]]
    for verdict in found.verdicts:
        if verdict.macs is None:
            counts.append([verdict.counter, "failed", "", "", ""])
            continue
        ratio = verdict.macs / found.macs if found.macs else 0.0
        agreeing = "" if verdict.differences is None else exact(verdict.agreeing)
        beside = exact(verdict.beside) if verdict.beside else ""
        counts.append([verdict.counter, exact(verdict.macs), f"{ratio:.4g}", agreeing, beside])
    summary = table(
        f"{found.model}: MACs by tool",
        ["tool", "MACs", "ratio", "modules equal", "other operations counted"],
        counts,
        caption=[found.conditions, *found.conclusion],
    )
    why = [
        [f"{verdict.counter} {difference.reason}", f"{sign(difference.macs)}", difference.where]
        for verdict in found.verdicts
        for difference in verdict.differences or ()
    ]
    if not why:
        return [summary]
    return [table("differences", ["reason", "MACs", "where"], why, left=["where"]), summary]


def sign(macs: int) -> str:
    """+1.2M or -1.2M."""
    return f"{'+' if macs > 0 else '-'}{count(abs(macs))}"


def _rows(found: Audit) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"tool": "archscope", "macs": found.macs, "reason": "", "difference": 0, "where": ""}
    ]
    for verdict in found.verdicts:
        row = {"tool": verdict.counter, "macs": verdict.macs}
        rows += [
            {**row, "reason": d.reason, "difference": d.macs, "where": d.where}
            for d in verdict.differences or ()
        ] or [{**row, "reason": verdict.error, "difference": 0, "where": ""}]
    return rows


def _data(found: Audit) -> dict[str, Any]:
    return asdict(found) | {"conclusion": list(found.conclusion)}
