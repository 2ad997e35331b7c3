"""Shapes and storages that an operator makes on data, where the meta device has others or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

# -- results that keep a larger storage ------------------------------------------------------------


def _loss(x: Tensor, target: Tensor, *rest: Any, **options: Any) -> Any:
    """A loss of every element is made, summed, and shrunk to one element where it is."""
    weight = rest[0] if rest and isinstance(rest[0], Tensor) else None
    numbers = [value for value in rest if not isinstance(value, Tensor | None)]
    reduction = options.get("reduction", numbers[0] if numbers else 1)
    plain = x.dtype == target.dtype and x.is_contiguous() and options.get("weight") is None
    if reduction == 0 or not plain or (weight is not None and weight.dtype != x.dtype):
        return NotImplemented
    return x.new_empty(torch.broadcast_shapes(x.shape, target.shape)).resize_(())


def _col2im(x: Tensor, output_size: Sequence[int], kernel_size: Sequence[int], *_: Any) -> Any:
    """The columns' sum is made as large as the columns, and shrunk to an image."""
    if x.dim() != 3 or not x.is_contiguous():
        return NotImplemented
    channels = x.shape[1] // (kernel_size[0] * kernel_size[1])
    shape = (x.shape[0], channels, *output_size)
    return x.new_empty(x.shape).resize_(shape)


# -- what torch has other shapes for ---------------------------------------------------------------


def _batch_norm_backward(grad: Tensor, x: Tensor, weight: Tensor | None, *rest: Any) -> Any:
    """Only the gradients that are wanted; on the meta device torch makes that of the input too."""
    to_input, *to_parameters = rest[-1]
    if to_input or weight is None:
        return NotImplemented
    return None, *(weight.new_empty(weight.shape) if wanted else None for wanted in to_parameters)


# -- what torch has no shapes for ------------------------------------------------------------------


def _like_second(grad: Tensor, x: Tensor, *_: Any, **__: Any) -> Any:
    """The gradient of an operand that comes after the result's."""
    return x.new_empty(x.shape)


def _multilabel_margin_loss(x: Tensor, target: Tensor, reduction: int) -> Any:
    """A loss of every sample, or of all; on the meta device torch takes one sample for several."""
    alone = reduction != 0 or target.dim() <= 1
    return x.new_empty(() if alone else x.shape[:1]), x.new_empty(target.shape)


def _geqrf(x: Tensor) -> Any:
    """A matrix in the form of its reflections, column after column, and their factors."""
    columns = x.mT.new_empty(x.mT.shape).mT
    return columns, x.new_empty((*x.shape[:-2], min(x.shape[-2:])))


OTHERWISE: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        ("mse_loss", "smooth_l1_loss", "soft_margin_loss", "binary_cross_entropy"), _loss
    ),
    "col2im": _col2im,
    "native_batch_norm_backward": _batch_norm_backward,
    "multi_margin_loss_backward": _like_second,
    "multilabel_margin_loss_backward": _like_second,
    "multilabel_margin_loss_forward": _multilabel_margin_loss,
    "fractional_max_pool3d_backward": _like_second,
    "geqrf": _geqrf,
}
