"""Operators that add elements up where indices tell: one addition for each, none for a lookup."""

from __future__ import annotations

from math import prod
from typing import Any

import torch

from archscope.trace.costs.registry import Cost, cost_of, elements_of


@cost_of("index_add")
def index_add(x: Any, dim: Any, index: Any, source: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per element of the source."""
    return Cost(0, elements_of(source))


@cost_of("scatter_add")
def scatter_add(x: Any, dim: Any, index: Any, source: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per index: the source may be larger."""
    return Cost(0, elements_of(index))


@cost_of("scatter.reduce", "scatter.value_reduce")
def scatter(x: Any, dim: Any, index: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A product or a sum for each index."""
    return Cost(0, elements_of(index))


@cost_of("scatter_reduce")
def scatter_reduce(
    x: Any, dim: Any, index: Any, source: Any, reduce: str, *_: Any, out: Any, **__: Any
) -> Cost:
    """One operation per index; a mean divides every element of the result."""
    return Cost(0, elements_of(index) + (elements_of(out) if reduce == "mean" else 0))


@cost_of("index_reduce")
def index_reduce(
    x: Any, dim: Any, index: Any, source: Any, reduce: str, *_: Any, out: Any, **__: Any
) -> Cost:
    """One operation per element of the source; a mean divides every element of the result."""
    return Cost(0, elements_of(source) + (elements_of(out) if reduce == "mean" else 0))


@cost_of("index_put", "_unsafe_index_put", "_index_put_impl")
def index_put(
    x: Any, indices: Any, values: Any, accumulate: bool = False, *_: Any, out: Any, **__: Any
) -> Cost:
    """One addition for each place that is added to; none when elements are only put."""
    return Cost(0, _indexed(x, indices, values) if accumulate else 0)


def _indexed(x: Any, indices: Any, values: Any) -> int:
    """How many places indices name; of a mask, which tells none, as many as there are values."""
    given = [index for index in indices if index is not None]
    if any(index.dtype in (torch.bool, torch.uint8) for index in given):
        return elements_of(values)
    named = torch.broadcast_shapes(*(index.shape for index in given))
    kept = [n for axis, n in enumerate(x.shape) if axis >= len(indices) or indices[axis] is None]
    return prod(named) * prod(kept)


@cost_of("_unsafe_masked_index_put_accumulate")
def masked_index_put(x: Any, mask: Any, indices: Any, values: Any, *, out: Any) -> Cost:
    """One addition per value."""
    return Cost(0, elements_of(values))


@cost_of("put")
def put(x: Any, index: Any, source: Any, accumulate: bool = False, *, out: Any) -> Cost:
    """One addition per index when elements are added; none when they are only put."""
    return Cost(0, elements_of(index) if accumulate else 0)


@cost_of("bincount")
def bincount(x: Any, weights: Any = None, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per weight; without any it counts in whole numbers."""
    return Cost(0, elements_of(weights))


@cost_of("embedding_dense_backward")
def embedding_backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per element of the gradient."""
    return Cost(0, elements_of(grad))


SUM, MEAN, MAX = 0, 1, 2  # an embedding bag's modes


@cost_of("_embedding_bag", "_embedding_bag_forward_only", "embedding_bag")
def embedding_bag(
    weight: Any,
    indices: Any,
    offsets: Any,
    scale_grad_by_freq: bool = False,
    mode: int = SUM,
    sparse: bool = False,
    per_sample_weights: Any = None,
    *_: Any,
    out: Any,
    **__: Any,
) -> Cost:
    """One operation per looked-up element, and one for its weight; a mean divides its sum."""
    looked_up = elements_of(indices) * weight.shape[-1]
    mean = elements_of(out[0]) if mode == MEAN else 0
    return Cost(0, looked_up * (1 + (per_sample_weights is not None)) + mean)


@cost_of("_embedding_bag_backward", "_embedding_bag_dense_backward")
def embedding_bag_backward(grad: Any, indices: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per looked-up element."""
    return Cost(0, elements_of(indices) * grad.shape[-1])


@cost_of("_embedding_bag_per_sample_weights_backward")
def embedding_bag_weights_backward(
    grad: Any, weight: Any, indices: Any, *_: Any, out: Any, **__: Any
) -> Cost:
    """A product of the gradient and the row for every weight: 2 per looked-up element."""
    return Cost(0, 2 * elements_of(indices) * weight.shape[-1])


@cost_of("embedding_renorm")
def embedding_renorm(weight: Any, indices: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A norm of every row that is looked up, and its scaling: 3 per element."""
    return Cost(0, 3 * elements_of(indices) * weight.shape[-1])
