"""Engines carry out tasks; the driver alone writes what they return.

An engine is a function of tasks: it takes the next one only when it has room for it, and yields
results as they come, in any order, one for every cell, however the run of that cell ended. Tasks
and results are plain records that can be pickled. When its iterator is closed it ends its workers.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from archscope.arguments import checked, text
from archscope.errors import UnknownName
from archscope.study.records import Result, Task

# Name -> the module whose `engine(**options)` makes it.
ENGINES = {
    "local": "archscope.study.engines.local",
    "ray": "archscope.study.engines.ray",
}


class Engine(Protocol):
    """Where tasks are carried out."""

    def title(self, device: str) -> str:
        """What "cpu" or "cuda:0" is here: a measurement's key holds it, not the name."""

    def submit(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of all cells of the tasks, as they come."""


@checked(name=text)
def engine(name: str, **options: Any) -> Engine:
    """An engine by name.

    Args:
        name: one of ``ENGINES``.
        options: what its module's ``engine`` takes: ``workers`` of both, ``address`` of "ray".

    Raises:
        UnknownName: there is no such engine.
        ArchscopeError: it cannot be started, for want of a package for instance.
    """
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    return importlib.import_module(ENGINES[name]).engine(**options)
