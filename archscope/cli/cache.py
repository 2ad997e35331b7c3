"""``archscope cache``: the results that are kept, and what was not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from archscope.cache import entries
from archscope.cache.place import bound, directory
from archscope.cli.tables import output_options, show_tables
from archscope.errors import ArchscopeError
from archscope.report.drawing import table
from archscope.report.numbers import memory, plural

_REFUSALS = 20  # lines


@click.group()
def cache() -> None:
    """Show or clear the results that are kept, so that the same question is answered at once."""


@cache.command()
@output_options
def info(format: str | None, width: int | None, file: str | None) -> None:
    """Show where results are kept, how many, and why some were not."""
    data = _found()
    lines = [
        ["directory", data["directory"]],
        ["results", str(data["results"])],
        ["size", f"{memory(data['bytes'])} of {memory(data['bound_bytes'])}"],
        ["least recently used", data["least_recently_used"] or "-"],
    ]
    tables = [table("cache", ["what", "value"], lines, left=("value",))]
    refused = data["not_kept"]
    if refused:
        rows = [[each["command"], each["reason"]] for each in refused[-_REFUSALS:]]
        left = len(refused) - len(rows)
        caption = [f"And {left} more, less recent."] if left else []
        headings = ["not kept", "reason"]
        tables.append(table("not kept", headings, rows, left=("reason",), caption=caption))
    flat = [{"what": name, "value": value} for name, value in data.items() if name != "not_kept"]
    show_tables(tables, data=data, rows=flat, format=format, width=width, file=file)


@cache.command()
def clear() -> None:
    """Remove all results that are kept."""
    results = _found()["results"]
    try:
        removed = entries.clear()
    except OSError as error:
        raise ArchscopeError(f"cannot clear {directory()}: {error.strerror}") from error
    size = memory(sum(entry.bytes for entry in removed))
    click.echo(f"Removed {plural(results, 'result')}, {size}.")


def _found() -> dict[str, Any]:
    kept = entries.kept()
    read = [entry for entry in map(entries.read, (each.path for each in kept)) if entry]
    refused = [entry for entry in read if entry.refusal]
    return {
        "directory": str(directory()),
        "results": len(kept) - len(refused),
        "bytes": sum(entry.bytes for entry in kept),
        "bound_bytes": bound(),
        "least_recently_used": _time(kept[0].used) if kept else None,
        "not_kept": [{"command": entry.command, "reason": entry.refusal} for entry in refused],
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")
