"""``archscope diff``: two models, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archscope.cli.cached import cached
from archscope.cli.completion import references
from archscope.cli.options import Asked, model_options
from archscope.cli.tables import output_options, show_tables
from archscope.report.numbers import count, exact, memory, plural, shape
from archscope.report.table import Table

if TYPE_CHECKING:
    from archscope.diff import Change, Diff

_SETTING: dict[str, Any] = {"multiple": True, "metavar": "KEY=VALUE"}


@cached(lambda given: [given["before"], given["after"]])
@click.command()
@click.argument("before", shell_complete=references)
@click.argument("after", shell_complete=references)
@model_options()
@click.option("--set-before", "settings_before", **_SETTING, help="An option of BEFORE.")
@click.option("--set-after", "settings_after", **_SETTING, help="An option of AFTER.")
@click.option("--all", "everything", is_flag=True, help="Show layers too that did not change.")
@output_options
def diff(
    before: str,
    after: str,
    asked: Asked,
    settings_before: tuple[str, ...],
    settings_after: tuple[str, ...],
    everything: bool,
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Show which layers AFTER has added, removed or changed, and what each cost gains.

    Both are models as for `archscope table`; one in a Python file may be taken from a git revision:
    net.py:Net@HEAD~1. Inputs and --set are for both.
    """
    from archscope.diff import diff as aligned
    from archscope.diff import side

    def analysed(model: str, own: tuple[str, ...]) -> Any:
        # As text, since a revision is analysed in another process.
        return side(model, **asked.arguments(model, own) | {"input": list(asked.inputs) or None})

    found = aligned(analysed(before, settings_before), analysed(after, settings_after))
    shown = [change for change in found.changes if everything or change.status != "same"]
    show_tables(
        _tables(found, shown),
        data=_data(found),
        rows=found.rows,
        format=format,
        width=width,
        file=file,
    )


def _tables(found: Diff, shown: list[Change]) -> list[Table]:
    from archscope.report.drawing import table

    title = f"{found.before.name} -> {found.after.name}"
    same = sum(change.status == "same" for change in found.changes)
    totals = table(
        f"{title}: totals",
        ["cost", "before", "after", "difference", "ratio"],
        [_total(name, values) for name, values in found.totals.items()],
        caption=[f"{plural(same, 'layer')} without a change."],
    )
    if not shown:
        return [totals]
    headings = ["layer", "", "kind", "output", "params", "MACs", "activations"]
    rows = [_cells(change) for change in shown]
    return [table(title, headings, rows, left=["", "kind", "output"]), totals]


def _cells(change: Change) -> list[str]:
    before, after = change.before or {}, change.after or {}
    return [
        _arrow(before.get("path"), after.get("path")),
        change.status,
        _arrow(before.get("kind"), after.get("kind")),
        _arrow(_shape(before), _shape(after)),
        *(_signed(change.delta(cost)) for cost in ("params", "macs", "activations")),
    ]


def _arrow(before: str | None, after: str | None) -> str:
    if before and after and before != after:
        return f"{before} -> {after}"
    return after or before or ""


def _shape(layer: Any) -> str | None:
    return shape(layer["output_shape"]) if layer and layer["output_shape"] else None


def _total(name: str, values: dict[str, int]) -> list[str]:
    write = memory if name.endswith("bytes") else exact
    ratio = f"{values['after'] / values['before']:.3f}" if values["before"] else ""
    sign = "-" if values["delta"] < 0 else "+" if values["delta"] else ""
    difference = f"{sign}{write(abs(values['delta']))}"
    return [name, write(values["before"]), write(values["after"]), difference, ratio]


def _signed(value: int) -> str:
    return f"{'+' if value > 0 else '-'}{count(abs(value))}" if value else ""


def _data(found: Diff) -> dict[str, Any]:
    return {
        "before": found.before.name,
        "after": found.after.name,
        "totals": found.totals,
        "layers": found.rows,
    }
