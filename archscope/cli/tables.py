"""Output of the commands that print tables other than a report's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, TypeVar

import click

from archscope.cli.options import OneOf, WholeNumber, with_options
from archscope.cli.output import deliver, refuse_unwritable
from archscope.report.drawing import FORMATS, draw
from archscope.report.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])


def output_in(formats: Sequence[str], *, files: Sequence[str] = ()) -> Callable[[Command], Command]:
    """--format, --width and --output; what contradicts itself is refused before the command runs.

    Args:
        formats: what --format may say.
        files: further formats that only a file has, told by its ending.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def checked(*args: Any, **kwargs: Any) -> Any:
            refuse_unwritable(kwargs["file"], kwargs["format"], (*formats, *files))
            return command(*args, **kwargs)

        return with_options(options, checked)

    options = (
        click.option(
            "--format",
            type=OneOf("format", formats),
            help="By default rich on a terminal, plain in a pipe, or what FILE ends in.",
        ),
        click.option(
            "--width", type=WholeNumber(), help="Characters in a line; the terminal's if absent."
        ),
        click.option("-o", "--output", "file", metavar="FILE", help="Write to a file."),
    )
    return decorate


output_options = output_in(FORMATS)


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
