"""Weights that are no plain tensors: wrapper subclasses, and those that quantised modules pack.

A wrapper subclass (torchao's ``Int8Tensor``, say) shows a logical tensor, and names the plain ones
that it is made of by ``__tensor_flatten__``. The modules of ``torch.ao.nn`` hold their weights as
objects of C++, out of PyTorch's sight, and unpack them when asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_ITEM_BYTES = {torch.qint8: torch.int8, torch.quint8: torch.uint8, torch.qint32: torch.int32}


def plain_tensors(tensor: Tensor) -> list[Tensor]:
    """What a tensor is made of: itself, or what a wrapper subclass holds, however deep."""
    if not is_traceable_wrapper_subclass(tensor):
        return [tensor]
    names, _ = tensor.__tensor_flatten__()
    parts = [getattr(tensor, name) for name in names]
    return [plain for part in parts if part is not None for plain in plain_tensors(part)]


def packed_weights(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, Tensor]]:
    """The names of packed weights and biases, each with a tensor on meta that stands for it."""
    for path, module in modules.items():
        for name, tensor in _unpacked(module):
            dtype = _ITEM_BYTES.get(tensor.dtype, tensor.dtype)
            stand_in = torch.empty(tensor.shape, dtype=dtype, device="meta")
            yield f"{path}.{name}" if path else name, stand_in


def _unpacked(module: Any) -> Iterator[tuple[str, Tensor]]:
    kind = type(module)
    if not (kind.__module__.startswith("torch.ao.nn") and ".quantized" in kind.__module__):
        return
    if hasattr(kind, "get_weight"):  # recurrent: dictionaries by the float module's names
        yield from {**module.get_weight(), **module.get_bias()}.items()
    elif callable(getattr(kind, "weight", None)):
        yield "weight", _in_packed_dtype(module, module.weight())
        bias = module.bias()
        if bias is not None:
            yield "bias", bias.detach()


def _in_packed_dtype(module: Any, weight: Tensor) -> Tensor:
    """Half-precision weights are unpacked to single precision."""
    packed = getattr(getattr(module, "_packed_params", None), "dtype", None)
    return weight.detach().half() if packed is torch.float16 else weight.detach()
