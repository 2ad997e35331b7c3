"""The weight layers of a backward graph: autograd's nodes of products with a learned operand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from archscope.errors import ArchscopeError

# Products, and which of their operands one multiplies with another (the rest is added).
_FACTORS = {
    "AddmmBackward0": (1, 2),
    "MmBackward0": (0, 1),
    "BmmBackward0": (0, 1),
    "BaddbmmBackward0": (1, 2),
    "AddbmmBackward0": (1, 2),
    "MvBackward0": (0, 1),
    "AddmvBackward0": (1, 2),
    "DotBackward0": (0, 1),
    "LinearBackward0": (0, 1),
    "ConvolutionBackward0": (0, 1),
    "TrilinearBackward0": (0, 1, 2),
}
_FUSED = ("MkldnnRnnLayerBackward0", "CudnnRnnBackward0", "MiopenRnnBackward0")


@dataclass(frozen=True)
class BackwardGraph:
    """What autograd will go through from a loss to the inputs.

    ``products`` are the weight layers in the order of the forward pass, ``longest`` is how many
    of them lie on the longest route.
    """

    products: tuple[Node, ...]
    longest: int
    inputs: tuple[GradientEdge, ...]


def backward_graph(
    loss: Tensor, inputs: Sequence[Tensor], weights: Iterable[Tensor]
) -> BackwardGraph:
    """Find the weight layers between a loss and the inputs.

    Args:
        loss: a tensor with its graph.
        inputs: the tensors that the model was called with. Whole numbers, such as characters, have
            no gradient: the embeddings that they select stand for them.
        weights: the model's parameters; all must require a gradient, so that the graph knows them.

    Raises:
        ArchscopeError: no route leads from the loss to an input, or a kernel hides its cells.
    """
    order = _inputs_first(loss)
    learned = {get_gradient_edge(weight).node for weight in weights}
    edges = [get_gradient_edge(tensor) for tensor in inputs if tensor.requires_grad]
    starts = {edge.node for edge in edges}
    if not starts:
        edges = [GradientEdge(node, 0) for node in order if node.name() == "EmbeddingBackward0"]
        starts = {edge.node for edge in edges}
    from_input: dict[Node, int] = {}  # longest route to each node that depends on an input
    from_weight: set[Node] = set()
    products = []
    for node in order:
        if node in starts:
            from_input[node] = 0
            continue
        operands = [operand for operand, _ in node.next_functions if operand is not None]
        if node in learned or any(operand in from_weight for operand in operands):
            from_weight.add(node)
        lengths = [from_input[operand] for operand in operands if operand in from_input]
        if not lengths:
            continue
        if node.name() in _FUSED:
            raise ArchscopeError(f"{node.name()} hides its cells; its routes cannot be told apart")
        is_layer = _is_weight_layer(node, from_input, from_weight)
        from_input[node] = max(lengths) + is_layer
        from_weight.discard(node)
        if is_layer:
            products.append(node)
    if loss.grad_fn not in from_input:
        raise ArchscopeError("the output does not depend on the input, so there are no routes")
    products.sort(key=lambda node: node._sequence_nr())
    return BackwardGraph(tuple(products), from_input[loss.grad_fn], tuple(edges))


def _is_weight_layer(node: Node, from_input: dict[Node, int], from_weight: set[Node]) -> bool:
    factors = [
        node.next_functions[i][0]
        for i in _FACTORS.get(node.name(), ())
        if i < len(node.next_functions)
    ]
    return any(f in from_weight for f in factors) and any(f in from_input for f in factors)


def _inputs_first(loss: Tensor) -> list[Node]:
    """All nodes behind a loss, each after those that it reads."""
    if loss.grad_fn is None:
        raise ArchscopeError("the loss has no gradient, so there are no routes")
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(loss.grad_fn, False)]
    while stack:
        node, opened = stack.pop()
        if opened:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((n, False) for n, _ in node.next_functions if n is not None)
    return order


def gradients(loss: Tensor, edges: Sequence[GradientEdge], seed: Tensor) -> tuple[Tensor, ...]:
    """The gradient at the inputs when ``seed`` arrives at the loss; the graph is kept."""
    found = torch.autograd.grad(loss, list(edges), seed, retain_graph=True)
    return tuple(found)
