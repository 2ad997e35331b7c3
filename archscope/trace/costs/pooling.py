"""Pooling: one operation for each element of each window, never a MAC."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.trace.costs.registry import Cost, cost_of, elements_of


def _window(kernel: Any, dims: int) -> int:
    kernel = [kernel] if isinstance(kernel, int) else list(kernel)
    return prod(kernel) if len(kernel) == dims else kernel[0] ** dims


def _pool(dims: int) -> Any:
    def pool(x: Any, kernel: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, elements_of(_first(out)) * _window(kernel, dims))

    return pool


def _first(out: Any) -> Any:
    return out[0] if isinstance(out, list | tuple) else out


for _dims in (1, 2, 3):
    cost_of(
        f"max_pool{_dims}d_with_indices",
        f"max_pool{_dims}d",
        f"avg_pool{_dims}d",
        f"quantized_max_pool{_dims}d",
        f"fractional_max_pool{_dims}d",
    )(_pool(_dims))


def _adaptive_windows(large: Any, small: Any, dims: int) -> int:
    """Elements of all windows: along an axis the i-th of m goes from floor(i n / m) to
    ceil((i + 1) n / m), so that windows overlap where m does not divide n."""
    along = [
        sum(-(-(i + 1) * n // m) - i * n // m for i in range(m))
        for n, m in zip(large.shape[-dims:], small.shape[-dims:], strict=True)
    ]
    return prod(large.shape[:-dims]) * prod(along)


def _adaptive_pool(dims: int) -> Any:
    def pool(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, _adaptive_windows(x, _first(out), dims))

    return pool


def _adaptive_average_backward(dims: int) -> Any:
    def backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, _adaptive_windows(out, grad, dims))

    return backward


for _dims in (2, 3):
    cost_of(f"_adaptive_avg_pool{_dims}d", f"adaptive_max_pool{_dims}d")(_adaptive_pool(_dims))
    cost_of(f"_adaptive_avg_pool{_dims}d_backward")(_adaptive_average_backward(_dims))


@cost_of(
    "max_pool2d_with_indices_backward",
    "max_pool3d_with_indices_backward",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d_backward",
    "fractional_max_pool2d_backward",
    "fractional_max_pool3d_backward",
)
def max_pool_backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per element of the gradient."""
    return Cost(0, elements_of(grad))


def _average_backward(dims: int) -> Any:
    def backward(grad: Any, x: Any, kernel: Any, *_: Any, out: Any, **__: Any) -> Cost:
        """Every gradient element is added to its whole window."""
        return Cost(0, elements_of(grad) * _window(kernel, dims))

    return backward


for _dims in (2, 3):
    cost_of(f"avg_pool{_dims}d_backward")(_average_backward(_dims))
