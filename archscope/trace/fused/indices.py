"""Indexing that asks for operands of one device before it is an operator that a mode can see."""

from __future__ import annotations

import torch
from torch import Tensor


def take_along_dim(x: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Elements along an axis, or of the flat tensor. Indices that kept their values are on the CPU
    and the rest on the meta device, which ``gather`` does not mind."""
    if dim is None:
        return x.reshape(-1).gather(0, indices.reshape(-1).remainder(x.numel()))
    if x.dim() != indices.dim():
        raise RuntimeError(
            f"take_along_dim wants as many axes, got {tuple(x.shape)} and {tuple(indices.shape)}"
        )
    dim = range(x.dim())[dim]
    of_x, of_indices = list(x.shape), list(indices.shape)
    of_x[dim], of_indices[dim] = of_indices[dim], of_x[dim]
    indices = indices.broadcast_to(torch.broadcast_shapes(of_x, indices.shape))
    x = x.broadcast_to(torch.broadcast_shapes(of_indices, x.shape))
    return x.gather(dim, indices.remainder(x.shape[dim]))
