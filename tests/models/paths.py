"""Path lengths on the graph that torch.fx sees, independent of archscope's own trace."""

from __future__ import annotations

from collections import Counter

from torch import fx, nn


def path_lengths(model: nn.Module) -> Counter[int]:
    """How many routes from input to output pass through how many convolutions and linears.

    The model must be in eval mode. An operation that reads a tensor twice makes one route of it.
    """
    graph = fx.symbolic_trace(model).graph
    reached: dict[fx.Node, Counter[int]] = {}
    for node in graph.nodes:
        if node.op == "placeholder":
            reached[node] = Counter({0: 1})
            continue
        lengths: Counter[int] = Counter()
        for source in node.all_input_nodes:
            lengths.update(reached[source])
        reached[node] = lengths if not _weighs(model, node) else _longer(lengths)
    return reached[next(node for node in graph.nodes if node.op == "output")]


def _weighs(model: nn.Module, node: fx.Node) -> bool:
    if node.op != "call_module":
        return False
    return isinstance(model.get_submodule(str(node.target)), nn.Conv2d | nn.Linear)


def _longer(lengths: Counter[int]) -> Counter[int]:
    return Counter({length + 1: count for length, count in lengths.items()})
