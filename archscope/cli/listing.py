"""``archscope list``: the names of the zoo."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

import click

from archscope.cli.errors import write
from archscope.errors import UnknownName
from archscope.models.catalog import Architecture, architectures

_HEADINGS = ("name", "family", "year", "input", "paper")


@click.command("list")
@click.argument("pattern", required=False)
def list_architectures(pattern: str | None) -> None:
    """List the architectures: name, family, year, input of one sample, paper.

    PATTERN is a part of a name or of a family, or has wildcards: "resnet*".
    """
    known = architectures()
    found = [entry for entry in known.values() if pattern is None or _matches(entry, pattern)]
    if pattern is not None and not found:
        raise UnknownName("architecture", pattern, known)
    rows = [_HEADINGS, *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    write("".join(_line(row, widths) for row in rows))


def _matches(architecture: Architecture, pattern: str) -> bool:
    names = (architecture.name.lower(), architecture.family.lower())
    if any(sign in pattern for sign in "*?["):
        return any(fnmatchcase(name, pattern.lower()) for name in names)
    return any(pattern.lower() in name for name in names)


def _row(architecture: Architecture) -> tuple[str, ...]:
    return (
        architecture.name,
        architecture.family,
        str(architecture.year),
        _sizes(architecture),
        architecture.paper,
    )


def _sizes(architecture: Architecture) -> str:
    """3x224x224; a size that an option sets has that option's name."""
    named = any(isinstance(size, str) for size in architecture.input)
    return (" x " if named else "x").join(map(str, architecture.input))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if not sys.stdout.isatty():
        return f"{line}\n"
    room = shutil.get_terminal_size().columns
    return f"{line if len(line) <= room else line[: room - 1] + '…'}\n"
