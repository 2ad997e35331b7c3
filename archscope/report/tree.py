"""The lines of a report as the tree of its modules, each with the sum of what is below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archscope.report.levels import COUNTED, Line, lines

if TYPE_CHECKING:
    from archscope.report.report import Report


@dataclass(slots=True)
class Node:
    """A module, or a layer call that has nothing below it."""

    name: str
    kind: str
    output_shape: Sequence[int] = ()
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    children: list[Node] = field(default_factory=list)

    def leaves(self) -> Iterator[Node]:
        """The layer calls below, in the order of the run."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def tree(report: Report) -> Node:
    """The modules of a report.

    Returns:
        The model itself; the ``sums`` of every node, by column of ``Report.rows``, are those of its
        children.
    """
    root = Node(report.trace.model, report.trace.modules.get("", ""))
    modules = {"": root}
    for line in lines(report):
        above = str(line.values["path"]).rpartition(".")[0]
        _add(_module(above, modules, report), line, above)
        for around in _around(above):
            node = modules[around]
            node.output_shape = line.values["output_shape"]
            for column in COUNTED:
                node.sums[column] += line.values[column]
    return root


def _around(module: str) -> Iterator[str]:
    """A module and those around it: "a.b", "a" and the model itself."""
    while module:
        yield module
        module = module.rpartition(".")[0]
    yield ""


def _module(path: str, modules: dict[str, Node], report: Report) -> Node:
    if path not in modules:
        above, _, name = path.rpartition(".")
        modules[path] = Node(name, report.trace.modules.get(path, ""))
        _module(above, modules, report).children.append(modules[path])
    return modules[path]


def _add(parent: Node, line: Line, above: str) -> None:
    values: dict[str, Any] = dict(line.values)
    name = line.label.removeprefix(f"{above}.") if above else line.label
    sums = {column: values[column] for column in COUNTED}
    parent.children.append(Node(name, values["kind"], values["output_shape"], sums))
