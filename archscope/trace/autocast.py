"""Automatic mixed precision on tensors without data.

Torch casts only tensors of the device that autocast was entered for, and there is none for meta.
So the casts are made here, by torch's own lists: kernels for a key that torch keeps for devices of
others, where autocast stands in the dispatcher, above autograd. Inside them the key is off, as in
torch (aten/src/ATen/autocast_mode.cpp), and the operator goes on to autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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


class _Casting:
    """To which precision products go just now, None where nothing is cast."""

    def __init__(self, lower: torch.dtype | None):
        self.lower = lower
        self.copies: dict[int, tuple[Tensor, Tensor]] = {}

    def to_lower(self, tensor: Tensor) -> Tensor:
        """The tensor in the lower precision; a weight is cast once a forward pass."""
        lower = self.lower
        if lower is None or not _eligible(tensor) or tensor.dtype == lower:
            return tensor
        if not (tensor.dtype == torch.float32 and tensor.requires_grad and tensor.is_leaf):
            return tensor.to(lower)
        if id(tensor) not in self.copies or self.copies[id(tensor)][1].dtype != lower:
            self.copies[id(tensor)] = (tensor, tensor.to(lower))
        return self.copies[id(tensor)][1]

    def to_float32(self, tensor: Tensor) -> Tensor:
        """The tensor in single precision."""
        on = self.lower is not None and _eligible(tensor)
        return tensor.to(torch.float32) if on else tensor


@contextmanager
def autocast(execution: Execution) -> Iterator[None]:
    """For the length of a forward pass, cast as torch's autocast would on that device: all along if
    that is asked for, and else where the model enters autocast itself."""
    casting = _Casting(getattr(torch, execution.amp) if execution.amp else None)
    with ExitStack() as stack:

        def begin() -> None:
            kernels = _kernels(execution.device, casting)
            stack.enter_context(torch_private.autocast_kernels(kernels))

        if casting.lower is not None:
            begin()
        stack.enter_context(_entered_by_the_model(casting, execution.device, begin))
        yield
    casting.copies.clear()


@contextmanager
def _entered_by_the_model(
    casting: _Casting, device: str, begin: Callable[[], None]
) -> Iterator[None]:
    """Follow ``torch.autocast`` inside of the model, for the device whose kernels are followed.

    ``begin`` makes the casts, the first time that the model wants any.
    """
    outside: list[torch.dtype | None] = []
    begun = casting.lower is not None

    def entered(kind: str, lower: torch.dtype, enabled: bool) -> None:
        nonlocal begun
        outside.append(casting.lower)
        if kind != device:
            return
        casting.lower = lower if enabled else None
        if enabled and not begun:
            begun = True
            begin()

    def left() -> None:
        casting.lower = outside.pop()
        if not outside:
            casting.copies.clear()

    with torch_private.autocast_followed(device, entered, left):
        yield


def _kernels(device: str, casting: _Casting) -> dict[str, Callable[..., Any]]:
    products, joins = set(_PRODUCTS.split()), set(_JOINS.split())
    kernels = {name: _casting(name, casting.to_lower) for name in _RECURRENT}
    for name in _known_to_autocast(device):
        base = name.partition(".")[0]
        if base in products:
            kernels[name] = _casting(name, casting.to_lower)
        elif base in joins:
            kernels[name] = _widening(name, casting)
        elif base in _TOLD:
            kernels[name] = _telling(name, casting)
        elif base not in _REFUSED:
            kernels[name] = _casting(name, casting.to_float32)
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


def _widening(name: str, casting: _Casting) -> Callable[..., Any]:
    operator = _overload(name)

    def kernel(*args: Any, **kwargs: Any) -> Any:
        widest = casting.lower
        for tensor in _tensors(args):
            if widest is not None and _eligible(tensor):
                widest = torch.promote_types(widest, tensor.dtype)

        def cast(tensor: Tensor) -> Tensor:
            return tensor.to(widest) if widest is not None and _eligible(tensor) else tensor

        with torch_private.without_autocast():
            return operator(*_mapped(args, cast), **_mapped(kwargs, cast))

    return kernel


def _telling(name: str, casting: _Casting) -> Callable[..., Any]:
    operator = _overload(name)
    takes = [argument.name for argument in operator._schema.arguments]

    def kernel(*args: Any, **kwargs: Any) -> Any:
        position = takes.index("dtype") if "dtype" in takes else len(takes)
        told = position < len(args) or kwargs.get("dtype") is not None
        on = casting.lower is not None and not told and _eligible(args[0])
        if "dtype" in takes and on:
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
