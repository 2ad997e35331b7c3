"""Automatic mixed precision on tensors without data.

Torch casts only tensors of the device that autocast was entered for, and there is none for meta.
So the casts are made here, by torch's own lists: kernels for a key that torch keeps for devices of
others, where autocast stands in the dispatcher, above autograd. Inside them the key is off, as in
torch (aten/src/ATen/autocast_mode.cpp), and the operator goes on to autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.execution import Execution

# Products go to the lower precision, by operator name.
_PRODUCTS = """
    _convolution conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
    convolution prelu addmm addmv addr matmul einsum mm mv linalg_vecdot linear addbmm baddbmm bmm
    chain_matmul linalg_multi_dot _thnn_fused_lstm_cell _thnn_fused_gru_cell lstm_cell gru_cell
    rnn_tanh_cell rnn_relu_cell _scaled_dot_product_flash_attention scaled_dot_product_attention
    _native_multi_head_attention _addmm_activation mkldnn_rnn_layer
"""
# The recurrent layers, whose kernels torch casts behind these names.
_RECURRENT = [
    f"{cell}.{kind}"
    for cell in ("lstm", "gru", "rnn_tanh", "rnn_relu")
    for kind in ("input", "data")
]
# These take operands of several dtypes, and want the widest.
_JOINS = """
    addcdiv addcmul atan2 bilinear cross dot vdot grid_sampler index_put tensordot scatter_add
    stack cat index_copy
"""
# These compute in float32 by being told to: their result is float32.
_TOLD = {"prod", "softmax", "log_softmax", "cumprod", "cumsum", "sum"} | {
    "linalg_vector_norm",
    "linalg_matrix_norm",
}
_REFUSED = {"binary_cross_entropy"}  # torch raises: its logits belong in one operator with it
# All else that autocast knows computes in float32.


@contextmanager
def autocast(execution: Execution) -> Iterator[None]:
    """For the length of a forward pass, cast as torch's autocast would on that device."""
    if execution.amp is None:
        yield
        return
    lower = getattr(torch, execution.amp)
    copies: dict[int, tuple[Tensor, Tensor]] = {}
    with torch_private.autocast_kernels(_kernels(execution.device, lower, copies)):
        yield
    copies.clear()


def _kernels(
    device: str, lower: torch.dtype, copies: dict[int, tuple[Tensor, Tensor]]
) -> dict[str, Callable[..., Any]]:
    def to_lower(tensor: Tensor) -> Tensor:
        if not _eligible(tensor) or tensor.dtype == lower:
            return tensor
        if not (tensor.dtype == torch.float32 and tensor.requires_grad and tensor.is_leaf):
            return tensor.to(lower)
        if id(tensor) not in copies:  # a weight is cast once a forward pass
            copies[id(tensor)] = (tensor, tensor.to(lower))
        return copies[id(tensor)][1]

    def to_float32(tensor: Tensor) -> Tensor:
        return tensor.to(torch.float32) if _eligible(tensor) else tensor

    products, joins = set(_PRODUCTS.split()), set(_JOINS.split())
    kernels = {name: _casting(name, to_lower) for name in _RECURRENT}
    for name in _known_to_autocast(device):
        base = name.partition(".")[0]
        if base in products:
            kernels[name] = _casting(name, to_lower)
        elif base in joins:
            kernels[name] = _widening(name, lower)
        elif base in _TOLD:
            kernels[name] = _telling(name)
        elif base not in _REFUSED:
            kernels[name] = _casting(name, to_float32)
    return kernels


@cache
def _known_to_autocast(device: str) -> tuple[str, ...]:
    names = torch_private.operators_with_kernel(f"Autocast{device.upper()}")
    return tuple(name for name in names if _overload(name) is not None)


def _overload(name: str) -> Any:
    base, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, base, None), overload or "default", None)


def _eligible(tensor: Tensor) -> bool:
    return tensor.dtype.is_floating_point and tensor.dtype != torch.float64


def _casting(name: str, cast: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    operator = _overload(name)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with torch_private.without_autocast():
            return operator(*_mapped(args, cast), **_mapped(kwargs, cast))

    return kernel


def _widening(name: str, lower: torch.dtype) -> Callable[..., Any]:
    operator = _overload(name)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        widest = lower
        for tensor in _tensors(args):
            if _eligible(tensor):
                widest = torch.promote_types(widest, tensor.dtype)

        def cast(tensor: Tensor) -> Tensor:
            return tensor.to(widest) if _eligible(tensor) else tensor

        with torch_private.without_autocast():
            return operator(*_mapped(args, cast), **_mapped(kwargs, cast))

    return kernel


def _telling(name: str) -> Callable[..., Any]:
    operator = _overload(name)
    takes = [argument.name for argument in operator._schema.arguments]

    def kernel(*args: Any, **kwargs: Any) -> Any:
        position = takes.index("dtype") if "dtype" in takes else len(takes)
        told = position < len(args) or kwargs.get("dtype") is not None
        if "dtype" in takes and not told and _eligible(args[0]):
            kwargs = {**kwargs, "dtype": torch.float32}
        with torch_private.without_autocast():
            return operator(*args, **kwargs)

    return kernel


def _mapped(value: Any, cast: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return cast(value)
    if isinstance(value, list | tuple):
        # The last operand first, as torch's compiled casts run: backward undoes them in this order.
        return type(value)([_mapped(item, cast) for item in reversed(value)][::-1])
    if isinstance(value, dict):
        return {key: _mapped(item, cast) for key, item in value.items()}
    return value


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
