"""What a report consists of: sections of items, each made by one command that a reader can run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

DATA = "{data}"  # in a command, the folder of measured data


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in a file of its own, by ``archscope plot``."""

    name: str  # of the file in figures/, without its ending
    title: str
    text: str
    words: tuple[str, ...]  # after "archscope plot"

    @property
    def file(self) -> str:
        """Its place in the report."""
        return f"figures/{self.name}.svg"


@dataclass(frozen=True, slots=True)
class Listing:
    """A table on the page itself, by any command that prints one as Markdown."""

    title: str
    text: str
    words: tuple[str, ...]  # after "archscope"


@dataclass(frozen=True, slots=True)
class Absent:
    """A figure that cannot be drawn since nobody has measured what it shows."""

    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Suggested:
    """A command for the reader, whose result is too large to be part of the report."""

    title: str
    text: str
    words: tuple[str, ...]  # after "archscope"


Item = Picture | Listing | Absent | Suggested


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what there is to know, and its items."""

    title: str
    text: str
    items: Sequence[Item]


def arguments(item: Picture | Listing | Suggested, data: str, place: str | None) -> list[str]:
    """What ``archscope`` is called with.

    Args:
        item: a figure, a table, or a command for the reader.
        data: the folder of measured data.
        place: where the result is written; None where it is printed.
    """
    words = [word.replace(DATA, data) for word in item.words]
    if isinstance(item, Picture):
        return ["plot", *words, "-o", place or item.file]
    if isinstance(item, Suggested):
        return words
    return [*words, "--format", "markdown", *(["-o", place] if place else [])]


def shown(item: Picture | Listing | Suggested, root: str) -> str:
    """The command line as a reader types it, in the folder that holds the report.

    Args:
        item: a figure, a table, or a command for the reader.
        root: the name of the report's folder.
    """
    place = f"{root}/{item.file}" if isinstance(item, Picture) else None
    return shlex.join(["archscope", *arguments(item, f"{root}/data", place)])
