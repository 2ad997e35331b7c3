"""Tensors among the arguments of an operator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.costs import FREE, Cost
from archscope.trace.costs.registry import is_floating
from archscope.trace.nested import tensors_in
from archscope.trace.operators import Operator
from archscope.trace.remembered import META
from archscope.trace.sizes import is_sparse
from archscope.trace.values import DataDependent


def written(facts: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that a call writes in place."""
    return tensors_in(
        (args[where] if where < len(args) else None)
        if isinstance(where, int)
        else kwargs.get(where)
        for where in facts.mutated
    )


def on_meta(value: Any) -> Any:
    """The same arguments, where every tensor is only a shape."""
    if isinstance(value, Tensor):
        return value if value.is_meta else as_meta(value)
    if isinstance(value, list | tuple):
        return type(value)(map(on_meta, value))
    if isinstance(value, dict):
        return {key: on_meta(item) for key, item in value.items()}
    return value


def as_meta(tensor: Tensor) -> Tensor:
    """The shape of a tensor, as a new one.

    Raises:
        DataDependent: a sparse tensor, for which torch has no kernels on shapes.
    """
    if is_sparse(tensor):
        raise DataDependent("it multiplies by a sparse tensor")
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def share_storage(some: list[Tensor], others: list[Tensor]) -> bool:
    """Whether one of these has a storage of one of those."""
    keys = {torch_private.storage_key(tensor) for tensor in some}
    return any(torch_private.storage_key(tensor) in keys for tensor in others)


def cost_of_call(facts: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Cost:
    """What a call costs that made ``out``. Whole numbers alone make no floating-point operation."""
    if facts.formula is None or facts.category != "compute":
        return FREE
    options = {name: value for name, value in kwargs.items() if name != "out"}
    cost = facts.formula(*args, out=out, **options)
    if cost.macs or is_floating(*args, *options.values(), out):
        return cost
    return FREE
