"""Output of the commands that print tables other than a report's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import click

from archscope.cli.options import OneOf, WholeNumber
from archscope.cli.output import deliver
from archscope.report.drawing import FORMATS, draw
from archscope.report.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])


def output_options(command: Command) -> Command:
    """--format, --width and --output."""
    for option in (
        click.option("-o", "--output", "file", metavar="FILE", help="Write to a file."),
        click.option("--width", type=WholeNumber(), help="Characters in a line."),
        click.option(
            "--format",
            type=OneOf("format", FORMATS),
            help="By default rich on a terminal, plain in a pipe, or what FILE ends in.",
        ),
    ):
        command = option(command)
    return command


def show_tables(
    tables: Sequence[Table],
    *,
    data: Any,
    rows: Sequence[Mapping[str, Any]],
    format: str | None,
    width: int | None,
    file: str | None,
) -> None:
    """Write tables, or the numbers behind them: ``data`` as JSON, ``rows`` as CSV.

    Raises:
        ArchscopeError: a file that cannot be written, or whose ending tells no format.
    """
    deliver(partial(draw, tables, data=data, rows=rows), format=format, width=width, file=file)
