"""Where a report goes: a terminal, a pipe, a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.cli.errors import remark, stdout, write
from archscope.errors import InvalidInput
from archscope.report.table import FORMATS

if TYPE_CHECKING:
    from archscope.report import Report
    from archscope.report.costs import View

PIPED_WIDTH = 100


def show(
    report: Report, view: View, *, format: str | None, width: int | None, file: str | None
) -> None:
    """Write a report and, on stderr, its warnings.

    Args:
        report: the analysis.
        view: level and columns.
        format: by default what the file's ending tells, "rich" on a terminal, "plain" in a pipe.
        width: in characters; the terminal's by default.
        file: where to; stdout by default.

    Raises:
        ArchscopeError: a file that cannot be written, or whose ending tells no format.
    """
    from archscope.report.files import format_of, save
    from archscope.report.formats import render

    for warning in report.warnings:
        remark(f"warning: {warning}")
    if file is not None and format is None and format_of(file) == "parquet":
        save(report, file, view=view)
    else:
        deliver(partial(render, report, view=view), format=format, width=width, file=file)


def deliver(
    render: Callable[..., str], *, format: str | None, width: int | None, file: str | None
) -> None:
    """Write what ``render(format, width=, colour=)`` returns; the options are those of ``show``.

    Raises:
        ArchscopeError: a file that cannot be written, or whose ending tells no format.
    """
    text = render(**appearance(format, width, file))
    if file is None:
        write(text)
    else:
        to_file(file, text)


def appearance(format: str | None, width: int | None, file: str | None) -> dict[str, Any]:
    """The format, width and colour that a result will have.

    Raises:
        ArchscopeError: the file's ending tells no format.
    """
    from archscope.report.files import format_of

    if file is not None:
        _refuse_directory(file)
        return {
            "format": format or format_of(file),
            "width": width or PIPED_WIDTH,
            "colour": False,
        }
    chosen = format or ("rich" if _draws_rules() else "plain")
    return {"format": chosen, "width": width or _width(), "colour": _has_colour()}


def to_file(file: str, text: str) -> None:
    """Write a result to a file; the cache keeps the result, not that there was a file.

    Raises:
        ArchscopeError: it cannot be written.
    """
    from archscope.cache.reads import unwatched
    from archscope.cache.transcript import note_file
    from archscope.report.files import write_text

    with unwatched():
        write_text(Path(file), text)
    note_file(text)


def refuse_unwritable(
    file: str | None, format: str | None, formats: Sequence[str] = FORMATS
) -> None:
    """Find out before the analysis, and not after it, that its result has no place to go.

    Raises:
        ArchscopeError: the ending tells no format, none of ``formats``, or another one than was
            asked for; or the file is a directory, would be in one that there is not, or must not be
            written.
    """
    if file is None:
        return
    from archscope.report.files import ENDINGS, format_of

    _refuse_directory(file)
    if file and not Path(file).parent.is_dir():
        raise InvalidInput(f"cannot write '{file}': there is no directory {Path(file).parent}")
    if not _may_write(Path(file).resolve()):
        raise InvalidInput(f"cannot write '{file}': permission denied")
    if format is None:
        if (told := format_of(file)) not in formats:
            known = [ending for ending, name in ENDINGS.items() if name in formats]
            raise InvalidInput(f"'{file}' cannot be {told} here; a name ends in {', '.join(known)}")
        return
    told = ENDINGS.get(Path(file).suffix.lower(), "plain")
    if told not in (format, "plain"):  # a .txt file may hold any text
        raise InvalidInput(f"'{file}' ends as {told} does, but --format is {format}; drop one")


def _may_write(file: Path) -> bool:
    """Whether the file, and a new one beside it, can be written."""
    if not file.exists():
        return os.access(file.parent, os.W_OK | os.X_OK)
    return os.access(file, os.W_OK) and (not file.is_file() or os.access(file.parent, os.W_OK))


def _refuse_directory(file: str) -> None:
    if Path(file).is_dir():
        raise InvalidInput(f"cannot write '{file}': it is a directory")


def _draws_rules() -> bool:
    return stdout().isatty() and (stdout().encoding or "").lower().startswith("utf")


def _has_colour() -> bool:
    return stdout().isatty() and not os.environ.get("NO_COLOR") and os.getenv("TERM") != "dumb"


def _width() -> int:
    """Of the terminal, or of $COLUMNS; a pipe has none of its own."""
    fallback = (PIPED_WIDTH, 24)
    return shutil.get_terminal_size(fallback).columns
