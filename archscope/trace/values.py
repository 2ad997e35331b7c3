"""Operators whose output depends on values, where the values are known.

Beside tensors that are only shapes, a model has small ones of its own making that are real: masks,
positions, lengths. What such a tensor decides (which elements are picked, how many) can be
answered; what depends on the input cannot, and the model is then run on data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

META = torch.device("meta")


class DataDependent(RuntimeError):
    """The model asked for the values of a tensor that has none."""


def result_from_values(
    func: Any,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    is_hollow: Callable[[Tensor], bool],
) -> Any:
    """The operator's result as meta tensors.

    Raises:
        DataDependent: the values that decide are not known.
    """

    def known(tensor: Tensor) -> bool:
        return not tensor.is_meta and not is_hollow(tensor)

    if name == "index":
        return _index(func, args[0], args[1], known)
    if name == "masked_select" and known(args[1]):
        mask = args[1].broadcast_to(torch.broadcast_shapes(args[0].shape, args[1].shape))
        return torch.empty(int(mask.sum()), dtype=args[0].dtype, device=META)
    if name == "_pack_padded_sequence" and known(args[1]):
        return _pack(*args)
    if name == "repeat_interleave" and kwargs.get("output_size") is not None:
        return torch.empty(kwargs["output_size"], dtype=torch.int64, device=META)
    raise DataDependent(f"{name} needs values that depend on the input")


def _index(func: Any, x: Tensor, indices: Any, known: Callable[[Tensor], bool]) -> Tensor:
    """Advanced indexing; a mask stands for the positions at which it is true."""
    positions: list[Tensor | None] = []
    for index in indices:
        if index is None:
            positions.append(None)
        elif index.dtype in (torch.bool, torch.uint8):
            if not known(index):
                raise DataDependent("indexing with a mask needs values that depend on the input")
            positions.extend(index.nonzero(as_tuple=True))
        else:
            positions.append(index)
    return func(_on_meta(x), [i if i is None else _on_meta(i) for i in positions])


def _pack(x: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """A padded batch as the sequence of its steps: all first elements, all second ones, ..."""
    steps = torch.arange(int(lengths.max()))
    batch_sizes = (lengths[None, :] > steps[:, None]).sum(1)
    data = torch.empty((int(lengths.sum()), *x.shape[2:]), dtype=x.dtype, device=META)
    return data, batch_sizes


def _on_meta(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_meta else torch.empty_like(tensor, device=META)
