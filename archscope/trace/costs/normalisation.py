"""Normalisation, softmax, pooling and resampling: FLOPs by convention, never MACs.

Batch normalisation counts its application (subtract, divide, scale, shift: 4 per element, 2
without scale and shift) in training and in evaluation alike; the batch statistics that training
adds are not part of the network's one number. Layer and group normalisation always take their
statistics from the input: mean 1, variance 2, application 4 (2 without scale and shift).
"""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.trace.costs.attention import SOFTMAX_BACKWARD_FLOPS, SOFTMAX_FLOPS
from archscope.trace.costs.registry import Cost, cost_of, elements_of

STATISTICS_FLOPS = 3


@cost_of(
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update",
    "_batch_norm_no_update",
    "cudnn_batch_norm",
    "miopen_batch_norm",
)
def batch_norm(x: Any, weight: Any = None, *_: Any, out: Any, **__: Any) -> Cost:
    """4 per element, 2 without scale and shift."""
    return Cost(0, elements_of(x) * (4 if weight is not None else 2))


@cost_of(
    "native_batch_norm_backward",
    "batch_norm_backward",
    "cudnn_batch_norm_backward",
    "native_layer_norm_backward",
    "native_group_norm_backward",
    "_fused_rms_norm_backward",
)
def norm_backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """dx = w s (dy - mean(dy) - x' mean(dy x')), dw = sum(dy x'), db = sum(dy): 8 per element."""
    return Cost(0, 8 * elements_of(grad))


@cost_of("native_layer_norm")
def layer_norm(x: Any, shape: Any, weight: Any = None, *_: Any, out: Any, **__: Any) -> Cost:
    """3 for the statistics, 2 or 4 for the application, per element."""
    return Cost(0, elements_of(x) * (STATISTICS_FLOPS + (4 if weight is not None else 2)))


@cost_of("native_group_norm")
def group_norm(x: Any, weight: Any = None, *_: Any, out: Any, **__: Any) -> Cost:
    """As layer normalisation."""
    return Cost(0, elements_of(x) * (STATISTICS_FLOPS + (4 if weight is not None else 2)))


@cost_of("_fused_rms_norm")
def rms_norm(x: Any, shape: Any, weight: Any = None, *_: Any, out: Any, **__: Any) -> Cost:
    """Square and add, multiply; one more for the scale."""
    return Cost(0, elements_of(x) * (3 + int(weight is not None)))


@cost_of(
    "_softmax",
    "_safe_softmax",
    "softmax",
    "_log_softmax",
    "_masked_softmax",
    "_sparse_softmax",
    "_sparse_log_softmax",
)
def softmax(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """5 per element."""
    return Cost(0, SOFTMAX_FLOPS * elements_of(x))


@cost_of("_softmax_backward_data", "_log_softmax_backward_data", "_masked_softmax_backward")
def softmax_backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """4 per element."""
    return Cost(0, SOFTMAX_BACKWARD_FLOPS * elements_of(grad))


def _window(kernel: Any, dims: int) -> int:
    kernel = [kernel] if isinstance(kernel, int) else list(kernel)
    return prod(kernel) if len(kernel) == dims else kernel[0] ** dims


def _pool(dims: int) -> Any:
    def pool(x: Any, kernel: Any, *_: Any, out: Any, **__: Any) -> Cost:
        first = out[0] if isinstance(out, tuple) else out
        return Cost(0, elements_of(first) * _window(kernel, dims))

    return pool


for _dims in (1, 2, 3):
    cost_of(
        f"max_pool{_dims}d_with_indices",
        f"max_pool{_dims}d",
        f"avg_pool{_dims}d",
        f"quantized_max_pool{_dims}d",
        f"fractional_max_pool{_dims}d",
    )(_pool(_dims))


@cost_of(
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d"
)
def adaptive_pool(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Every input element enters one window (windows overlap little or not at all)."""
    return Cost(0, elements_of(x))


@cost_of(
    "max_pool2d_with_indices_backward",
    "max_pool3d_with_indices_backward",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d_backward",
    "_adaptive_avg_pool2d_backward",
    "_adaptive_avg_pool3d_backward",
    "fractional_max_pool2d_backward",
    "fractional_max_pool3d_backward",
)
def pool_backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per element of the gradient (max) or of the input (adaptive average)."""
    return Cost(0, max(elements_of(grad), elements_of(out)))


@cost_of("avg_pool2d_backward")
def avg_pool2d_backward(grad: Any, x: Any, kernel: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Every gradient element is added to its whole window."""
    return Cost(0, elements_of(grad) * _window(kernel, 2))


@cost_of("avg_pool3d_backward")
def avg_pool3d_backward(grad: Any, x: Any, kernel: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Every gradient element is added to its whole window."""
    return Cost(0, elements_of(grad) * _window(kernel, 3))


_NEIGHBOURS = {
    "upsample_linear1d": 2,
    "upsample_bilinear2d": 4,
    "_upsample_bilinear2d_aa": 4,
    "upsample_trilinear3d": 8,
    "upsample_bicubic2d": 16,
    "_upsample_bicubic2d_aa": 16,
    "grid_sampler_2d": 4,
    "grid_sampler_3d": 8,
}


def _interpolation(neighbours: int) -> Any:
    def interpolate(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, 2 * neighbours * elements_of(out))

    return interpolate


for _name, _count in _NEIGHBOURS.items():
    cost_of(_name)(_interpolation(_count))  # a weighted sum of the neighbours
    cost_of(f"{_name}_backward")(_interpolation(_count))
