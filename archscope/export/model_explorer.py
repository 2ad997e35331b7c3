"""Costs on the nodes of model-explorer's graph of an exported program (its "custom node data").

model-explorer names a node of a PyTorch program by its name in the graph that torch.export made,
and the graph "graph". So the program is run here node by node, each as a module of its own, and the
tracer says what each costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from archscope.errors import ArchscopeError, InvalidInput, first_line
from archscope.sources.exported import with_a_fixed_mode
from archscope.sources.subject import Subject
from archscope.trace import Trace, trace
from archscope.trace.inputs import on_meta
from archscope.trace.records import Op

GRAPH = "graph"  # model-explorer's id for it
COSTS = ("macs", "flops", "bytes_read", "bytes_written", "output_elements")
GRADIENT = ({"stop": 0, "bgColor": "#FFFFFF"}, {"stop": 1, "bgColor": "#D55E00"})
_PREFIX = "node_"  # a module cannot be called "values" or "type"; a node can


def node_data(subject: Subject, cost: str = "macs") -> dict[str, Any]:
    """The JSON object that model-explorer loads over the graph of ``torch.export``.

    Args:
        subject: from ``archscope.sources.resolve``.
        cost: one of ``COSTS``.

    Raises:
        InvalidInput: an unknown cost.
        ArchscopeError: torch.export refuses the model.
    """
    if cost not in COSTS:
        raise InvalidInput(f"cost '{cost}' is not known; it is one of {', '.join(COSTS)}")
    costs = _costs_of_nodes(_traced(subject), cost)
    return {
        GRAPH: {
            "results": {name: {"value": value} for name, value in costs.items()},
            "gradient": list(GRADIENT),
        }
    }


def _traced(subject: Subject) -> Trace:
    args = tuple(map(on_meta, subject.inputs))
    kwargs = {name: on_meta(value) for name, value in subject.kwargs.items()}
    try:
        if isinstance(subject.model, torch.fx.GraphModule):
            program = subject.model  # it is an exported one
        else:
            model = subject.model.eval()
            program = torch.export.export(model, args, kwargs).module(check_guards=False)
    except Exception as error:
        line = first_line(error)
        raise ArchscopeError(
            f"torch.export refuses {subject.name}: {type(error).__name__}: {line}"
        ) from error
    return trace(_NodeByNode(program), tuple(pytree.tree_leaves((args, kwargs))), "inference")


def _costs_of_nodes(recorded: Trace, cost: str) -> dict[str, int]:
    costs: dict[str, int] = {}
    for op in recorded.forward:
        if _PREFIX in op.module:
            name = op.module.partition(_PREFIX)[2]
            costs[name] = costs.get(name, 0) + _cost(op, cost)
    return costs


def _cost(op: Op, cost: str) -> int:
    return getattr(op, cost)


class _Node(nn.Module):
    """One function of the graph."""

    def forward(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return function(*args, **kwargs)


class _NodeByNode(nn.Module):
    """The program, each of its functions called through a module of the node's name."""

    def __init__(self, program: Any):
        super().__init__()
        self.program = with_a_fixed_mode(program)
        for node in program.graph.nodes:
            if node.op == "call_function":
                self.add_module(_PREFIX + node.name, _Node())

    def forward(self, *inputs: Any) -> Any:
        return _Interpreter(self).run(*inputs, enable_io_processing=False)


class _Interpreter(torch.fx.Interpreter):
    def __init__(self, nodes: _NodeByNode):
        super().__init__(nodes.program)
        self.of_node = dict(nodes.named_children())
        self.running = ""

    def run_node(self, n: torch.fx.Node) -> Any:
        self.running = n.name
        return super().run_node(n)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self.of_node[_PREFIX + self.running](target, args, kwargs)
