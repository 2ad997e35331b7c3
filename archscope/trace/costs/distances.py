"""Distances of points: a subtraction, a power and an addition for each coordinate; no MACs."""

from __future__ import annotations

from math import prod
from typing import Any

import torch

from archscope.trace.costs.registry import Cost, cost_of, elements_of

_COORDINATE_FLOPS = 3


@cost_of("_cdist_forward", "cdist", "_euclidean_dist", "_pdist_forward")
def distances(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Every distance goes through the coordinates of two points."""
    return Cost(0, _COORDINATE_FLOPS * elements_of(out) * x.shape[-1])


@cost_of("dist")
def distance(x: Any, y: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One distance of two points, whichever is repeated to be like the other."""
    return Cost(0, _COORDINATE_FLOPS * prod(torch.broadcast_shapes(x.shape, y.shape)))


@cost_of("_cdist_backward", "_pdist_backward")
def distances_backward(grad: Any, x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """The same for every distance: a difference, its share of the gradient, a sum."""
    return Cost(0, _COORDINATE_FLOPS * elements_of(grad) * x.shape[-1])
