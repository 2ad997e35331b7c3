"""The exact decomposition of a gradient by the number of weight layers on its way.

    loss        g  0  0  0      slot 0 holds the loss's gradient
    layer       0  g  0  0      every weight layer moves what arrives at its output one slot on,
      | \\                       before it goes through the layer
      |  layer  0  0  g' 0      what passes by a layer stays in its slot
      | /
    input       0  a  b  0      a came along the route of one layer, b along that of two

The backward pass is linear in the gradient, so that it can run for all slots at once, batched over
them: the forward pass runs once and is shared. With K slots it costs K backward passes in one, and
the memory of K gradients. Where memory is short the slots go in groups: each layer keeps the last
slot of a group, which becomes the first of the next.

Nothing here knows what a sample is or how a network folds positions into the batch, since slots
are a dimension that the network does not see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from archscope.gradients.products import BackwardGraph, gradients


@dataclass
class _Layer:
    """What a weight layer keeps from one group of slots to the next."""

    last: Tensor | None = None

    def shift(self, gradient: Tensor) -> Tensor:
        """(slots, ...) one slot on."""
        first = torch.zeros_like(gradient[:1]) if self.last is None else self.last
        self.last = gradient[-1:].clone()
        return torch.cat([first, gradient[:-1]])


class _Shift(torch.autograd.Function):
    """Under ``vmap``, one slot on along the dimension that it hides."""

    @staticmethod
    def forward(gradient: Tensor, layer: _Layer) -> Tensor:
        return layer.shift(gradient[None])[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, gradient: Tensor, layer: _Layer) -> tuple[Tensor, int]:
        if in_dims[0] is None:
            gradient = gradient.expand(info.batch_size, *gradient.shape)
        else:
            gradient = gradient.movedim(in_dims[0], 0)
        return layer.shift(gradient), 0


def decompose(loss: Tensor, graph: BackwardGraph, group: int) -> tuple[Tensor, ...]:
    """The gradient at each input by slots: (longest + 1, *input).

    Args:
        loss: a scalar with its graph, which is kept.
        graph: its weight layers.
        group: how many slots go through the graph at once.
    """
    slots = graph.longest + 1
    parts = []
    with _shifting(graph):
        for start in range(0, slots, group):
            seed = torch.zeros(min(group, slots - start), dtype=loss.dtype, device=loss.device)
            if start == 0:
                seed[0] = 1
            parts.append(_pass(loss, graph, seed))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def _pass(loss: Tensor, graph: BackwardGraph, seed: Tensor) -> tuple[Tensor, ...]:
    if len(seed) == 1:
        return tuple(g[None] for g in gradients(loss, graph.inputs, seed[0]))
    return torch.func.vmap(lambda s: gradients(loss, graph.inputs, s))(seed)


@contextmanager
def _shifting(graph: BackwardGraph) -> Iterator[None]:
    layers = [_Layer() for _ in graph.products]
    hooks = [
        node.register_prehook(lambda grads, layer=layer: (_Shift.apply(grads[0], layer),))
        for node, layer in zip(graph.products, layers, strict=True)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
