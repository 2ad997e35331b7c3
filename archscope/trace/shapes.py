"""Shapes of the commonest operators, answered here.

On the meta device torch works many shapes out through Python decompositions, which import sympy
and torch's compiler: longer than the whole analysis. A rule answers the plain case and leaves
every other one, and every error, to torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from archscope.trace.shapes_on_data import OTHERWISE


def shape_rule(name: str, overload: str) -> Callable[..., Any] | None:
    """The rule of an operator that has one: meta tensors to meta tensors, or NotImplemented."""
    return _RULES.get(name) or _RULES.get(f"{name}.{overload}")


def keeps_shape(name: str, target: Tensor, *args: Any, **kwargs: Any) -> bool:
    """Whether a rule knows that torch accepts writing an operator's result into its operand."""
    rule = _RULES.get(name.rstrip("_"))
    if rule is not _pointwise:
        return False
    result = rule(target, *args, **kwargs)
    return result is not NotImplemented and result.shape == target.shape


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device)


def _same(x: Tensor) -> Tensor:
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous() or (
        x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    )


# -- elementwise -----------------------------------------------------------------------------------


def _pointwise(*args: Any, **kwargs: Any) -> Any:
    """Operands of one dtype, all of one shape and layout or all row after row, and numbers."""
    tensors = [value for value in args if isinstance(value, Tensor)]
    first = tensors[0]
    if not first.dtype.is_floating_point or not _is_dense(first):
        return NotImplemented
    if any(not isinstance(value, Tensor | int | float | str | None) for value in args):
        return NotImplemented
    if any(isinstance(value, Tensor) or name == "dtype" for name, value in kwargs.items()):
        return NotImplemented
    others = tensors[1:]
    if any(other.dtype != first.dtype for other in others):
        return NotImplemented
    if all(_alike(other, first) for other in others):
        return _same(first)
    if not all(map(_row_major, tensors)):
        return NotImplemented
    return _empty(torch.broadcast_shapes(*(tensor.shape for tensor in tensors)), first)


def _alike(some: Tensor, other: Tensor) -> bool:
    return some.shape == other.shape and some.stride() == other.stride()


def _row_major(x: Tensor) -> bool:
    """Contiguous, and with the strides of a new tensor even where a size of 1 leaves a choice."""
    step = 1
    for size, stride in zip(reversed(x.shape), reversed(x.stride()), strict=True):
        if stride != step:
            return False
        step *= max(size, 1)
    return True


_POINTWISE = (
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "exp",
    "sqrt",
    "rsqrt",
    "pow",
    "reciprocal",
    "square",
    "log",
    "abs",
    "relu",
    "sigmoid",
    "tanh",
    "gelu",
    "silu",
    "hardswish",
    "hardsigmoid",
    "hardtanh",
    "leaky_relu",
    "elu",
    "mish",
    "erf",
    "sin",
    "cos",
    "clamp",
    "threshold_backward",
    "gelu_backward",
    "silu_backward",
    "sigmoid_backward",
    "tanh_backward",
    "hardswish_backward",
    "hardsigmoid_backward",
    "hardtanh_backward",
    "leaky_relu_backward",
    "elu_backward",
)


# -- products --------------------------------------------------------------------------------------


def _same_dtype(a: Tensor, b: Tensor) -> None:
    """Torch's kernels refuse what its shapes on the meta device let pass."""
    if a.dtype != b.dtype:
        raise RuntimeError(f"a product needs operands of one dtype, got {a.dtype} and {b.dtype}")


def _mm(a: Tensor, b: Tensor) -> Any:
    _same_dtype(a, b)
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0] or a.dtype != b.dtype:
        return NotImplemented
    return _empty((a.shape[0], b.shape[1]), a)


def _addmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    _same_dtype(a, b)
    if bias.dtype != a.dtype or tuple(bias.shape) not in (
        (b.shape[-1],),
        (a.shape[0], b.shape[-1]),
    ):
        return NotImplemented
    return _mm(a, b)


def _bmm(a: Tensor, b: Tensor) -> Any:
    fits = a.dim() == b.dim() == 3 and a.shape[0] == b.shape[0] and a.shape[2] == b.shape[1]
    if not fits or a.dtype != b.dtype:
        return NotImplemented
    return _empty((a.shape[0], a.shape[1], b.shape[2]), a)


def _grouped_mm(
    a: Tensor, b: Tensor, offs: Tensor | None = None, bias: Tensor | None = None, *_: Any, **__: Any
) -> Any:
    """Torch's own rule wants bfloat16, which only its GPU kernel does."""
    if a.shape[-1] != b.shape[-2]:
        return NotImplemented
    if a.dim() == 2 and b.dim() == 2 and offs is not None:
        return _empty((offs.shape[0], a.shape[0], b.shape[1]), a)
    return _empty((*a.shape[:-1], b.shape[-1]), a)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """floor((n + 2p - d (k - 1) - 1) / s) + 1 positions along each axis."""
    wanted = weight.shape[1] * groups
    if not transposed and x.dim() == weight.dim() and x.shape[1] != wanted:
        raise RuntimeError(f"wants {wanted} channels, got {x.shape[1]}")
    axes = weight.dim() - 2
    plain = (
        not transposed
        and x.dim() == weight.dim()
        and _is_dense(x)
        and _is_dense(weight)
        and x.dtype == weight.dtype
        and x.shape[1] == weight.shape[1] * groups
        and weight.shape[0] % groups == 0
        and (bias is None or tuple(bias.shape) == (weight.shape[0],))
    )
    if not plain:
        return NotImplemented
    stride, padding, dilation = (_along(axes, value) for value in (stride, padding, dilation))
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    ]
    if min(sizes, default=1) < 1 or min(stride) < 1 or min(padding) < 0 or min(dilation) < 1:
        return NotImplemented
    shape = (x.shape[0], weight.shape[0], *sizes)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_format(x, weight))


def _format(x: Tensor, weight: Tensor) -> torch.memory_format:
    """Channels last where an operand is so, on the CPU and on CUDA; torch's meta kernel knows no
    device, and answers contiguous."""
    last = torch.channels_last
    for tensor in (x, weight):
        if not tensor.is_contiguous() and tensor.is_contiguous(memory_format=last):
            return last
    return torch.contiguous_format


def _along(axes: int, value: Sequence[int]) -> Sequence[int]:
    return list(value) * axes if len(value) == 1 else value


def _convolution_backward(
    grad: Tensor, x: Tensor, weight: Tensor, bias_sizes: Any, *rest: Any
) -> Any:
    output_mask = rest[-1]
    if not (_is_dense(x) and _is_dense(weight)):
        return NotImplemented
    layout = _format(x, weight)
    bias = _empty((grad.shape[1],), grad) if output_mask[2] else None
    return (
        torch.empty_like(x, memory_format=layout) if output_mask[0] else None,
        torch.empty_like(weight, memory_format=layout) if output_mask[1] else None,
        bias,
    )


# -- pooling and joining ---------------------------------------------------------------------------


def _max_pool2d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Any:
    """The largest of every window, and where it was."""
    sizes = _pooled(x, kernel, stride or kernel, padding, dilation, ceil_mode)
    if sizes is None:
        return NotImplemented
    indices = torch.empty(sizes, dtype=torch.int64, device=x.device)
    return _empty(sizes, x), indices


def _avg_pool2d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    *_: Any,
) -> Any:
    """The mean of every window."""
    sizes = _pooled(x, kernel, stride or kernel, padding, (1,), ceil_mode)
    return NotImplemented if sizes is None else _empty(sizes, x)


def _pooled(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> tuple[int, ...] | None:
    """(n + 2p - d (k - 1) - 1) / s + 1 windows along each axis, rounded down, or up for ceil_mode
    as long as the last window begins inside the input or its left padding."""
    if x.dim() not in (3, 4) or not x.is_contiguous():
        return None
    kernel, stride, padding, dilation = (_along(2, v) for v in (kernel, stride, padding, dilation))
    sizes = []
    for n, k, s, p, d in zip(x.shape[-2:], kernel, stride, padding, dilation, strict=True):
        span = n + 2 * p - d * (k - 1) - 1
        if span < 0 or s < 1 or p < 0 or 2 * p > k or d < 1:
            return None
        count = (span + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        sizes.append(count)
    return (*x.shape[:-2], *sizes)


def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Any:
    """Tensors of one kind joined along an axis; those of four axes may be channels last."""
    first = tensors[0]
    axes = first.dim()
    if not axes or not -axes <= dim < axes:
        return NotImplemented
    dim %= axes
    rest = _without(first.shape, dim)
    for tensor in tensors:
        alike = tensor.dim() == axes and tensor.dtype == first.dtype
        plain = axes < 4 or _is_as_made(tensor)
        if not alike or not plain or _without(tensor.shape, dim) != rest:
            return NotImplemented
    joined = sum(tensor.shape[dim] for tensor in tensors)
    return _empty((*first.shape[:dim], joined, *first.shape[dim + 1 :]), first)


def _is_as_made(tensor: Tensor) -> bool:
    """Whether a tensor has the strides of a new one. Others may be contiguous too, where a size is
    1, but torch takes them for channels last."""
    step = 1
    for size, stride in zip(reversed(tensor.shape), reversed(tensor.stride()), strict=True):
        if stride != step:
            return False
        step *= size
    return True


def _without(shape: Sequence[int], dim: int) -> tuple[int, ...]:
    return (*shape[:dim], *shape[dim + 1 :])


def _reduced(x: Tensor, dims: Sequence[int] | None, keepdim: bool = False, **kwargs: Any) -> Any:
    """A sum or a mean along axes."""
    plain = x.is_contiguous() and x.dtype.is_floating_point and not kwargs.get("dtype")
    if not plain or not dims or any(not -x.dim() <= dim < x.dim() for dim in dims):
        return NotImplemented
    gone = {dim % x.dim() for dim in dims}
    kept = [1 if i in gone else n for i, n in enumerate(x.shape) if keepdim or i not in gone]
    return _empty(kept, x)


# -- normalisation ---------------------------------------------------------------------------------


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    """Output, and the mean and the inverse deviation of every channel."""
    channels = x.shape[1]
    known = [t for t in (weight, bias, running_mean, running_var) if t is not None]
    if not _is_dense(x) or any(t.numel() != channels for t in known):
        return NotImplemented
    wide = torch.promote_types(x.dtype, torch.float32)
    mean, deviation = (torch.empty(channels, dtype=wide, device=x.device) for _ in range(2))
    return _same(x), mean, deviation


def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Any:
    """Output, and the mean and the inverse deviation of every normalised row."""
    rows = x.shape[: x.dim() - len(shape)]
    fits = tuple(x.shape[len(rows) :]) == tuple(shape)
    if not fits or (weight is not None and weight.dtype != x.dtype):
        return NotImplemented
    if x.is_contiguous() and not _row_major(x):
        return NotImplemented
    kept = (*rows, *(1 for _ in shape))
    wide = torch.promote_types(x.dtype, torch.float32)
    mean, deviation = (torch.empty(kept, dtype=wide, device=x.device) for _ in range(2))
    return _empty(x.shape, x), mean, deviation


def _group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    positions: int,
    groups: int,
    eps: float,
) -> Any:
    """Output, and the mean and the inverse deviation of every group of channels."""
    fits = x.numel() == batch * channels * positions and channels % groups == 0
    known = [t for t in (weight, bias) if t is not None]
    if not fits or not _row_major(x) or any(t.dtype != x.dtype for t in known):
        return NotImplemented
    if any(t.numel() != channels for t in known):
        return NotImplemented
    mean, deviation = (_empty((batch, groups), x) for _ in range(2))
    return _empty(x.shape, x), mean, deviation


_RULES: dict[str, Callable[..., Any]] = {
    **OTHERWISE,
    **dict.fromkeys(_POINTWISE, _pointwise),
    "mm": _mm,
    "addmm": _addmm,
    "bmm": _bmm,
    "_grouped_mm": _grouped_mm,
    "convolution": _convolution,
    "convolution_backward": _convolution_backward,
    "max_pool2d_with_indices": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "cat": _cat,
    "sum.dim_IntList": _reduced,
    "mean.dim": _reduced,
    "native_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
}
