"""The windows that convolutions and poolings slide over their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.trace.records import Window

_POOLINGS = {
    *(f"max_pool{n}d_with_indices" for n in (2, 3)),
    *(f"{kind}_pool{n}d" for kind in ("max", "avg") for n in (1, 2, 3)),
}
_ADAPTIVE = {"_adaptive_avg_pool2d", "_adaptive_avg_pool3d"}


def window_of(name: str, args: tuple[Any, ...]) -> Window | None:
    """The window of an operator called with these arguments, None if it slides none."""
    if name == "convolution":
        _, weight, _, stride, _, dilation, transposed = args[:7]
        kernel = tuple(weight.shape[2:])
        return None if transposed else _window(kernel, stride, dilation)
    if name in _POOLINGS:
        kernel = args[1]
        stride = args[2] if len(args) > 2 and args[2] else kernel
        dilation = args[4] if name.startswith("max") and len(args) > 4 else (1,)
        return _window(kernel, stride, dilation)
    if name in _ADAPTIVE:
        outputs = tuple(args[1])
        inputs = args[0].shape[-len(outputs) :]
        pairs = list(zip(inputs, outputs, strict=True))
        return _window([-(-n // out) for n, out in pairs], [n // out for n, out in pairs], (1,))
    return None


def _window(kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Window:
    """One size stands for all dimensions, as torch has it."""
    n = len(kernel)
    return Window(tuple(kernel), _for_each(stride, n), _for_each(dilation, n))


def _for_each(sizes: Sequence[int], dimensions: int) -> tuple[int, ...]:
    return tuple(sizes) if len(sizes) == dimensions else (sizes[0],) * dimensions
