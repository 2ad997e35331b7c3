"""Operators that compute per element: elementwise, reductions, transforms.

Only arithmetic on floating-point numbers counts: index arithmetic, comparisons of integers and
selection are not FLOPs. A transcendental function counts as one operation, as an addition does.
Complex numbers count as their two parts, but for products and what is made of them.
"""

from __future__ import annotations

from math import ceil, log2, prod
from typing import Any

from archscope.trace.costs.movement import CREATE, MOVE
from archscope.trace.costs.registry import Cost, Formula, cost_of, elements_of, is_complex

# FLOPs per output element, where a pointwise operator does more than one.
POINTWISE_FLOPS = {
    "add": 1,
    "addcmul": 2,
    "addcdiv": 2,
    "lerp": 3,
    "gelu": 1,
    "gelu_backward": 2,
    "silu_backward": 4,
    "sigmoid_backward": 3,
    "tanh_backward": 3,
    "hardsigmoid_backward": 2,
    "hardswish_backward": 3,
    "elu_backward": 2,
    "leaky_relu_backward": 1,
    "mish_backward": 6,
    "softplus_backward": 3,
    "log_sigmoid_backward": 3,
    "_prelu_kernel_backward": 2,
    "glu": 2,
    "glu_backward": 5,
    "mse_loss_backward": 3,
    "binary_cross_entropy_backward": 5,
    "smooth_l1_loss_backward": 4,
    "huber_loss_backward": 4,
    "soft_margin_loss_backward": 5,
    "multi_margin_loss_backward": 4,
    "_add_relu": 2,
    "glu_jvp": 5,
    "_fused_moving_avg_obs_fq_helper": 3,  # both extremes, and the rounding
    "_fused_moving_avg_obs_fq_helper_functional": 3,
    "linalg_cross": 3,
    "polar": 4,
    "logcumsumexp": 4,  # as logsumexp
    "_logcumsumexp": 4,
}

# Pointwise in effect, but not so tagged by torch.
POINTWISE = {
    *POINTWISE_FLOPS,
    "celu",
    "elu",
    "leaky_relu",
    "hardtanh",
    "hardtanh_backward",
    "hardswish",
    "hardsigmoid",
    "hardshrink",
    "softshrink",
    "softplus",
    "selu",
    "mish",
    "relu6",
    "rrelu_with_noise",
    "rrelu_with_noise_functional",
    "rrelu_with_noise_backward",
    "_prelu_kernel",
    "threshold_backward",
    "hardshrink_backward",
    "softshrink_backward",
    "log_sigmoid_forward",
    "_weight_norm_differentiable_backward",
    "angle",
    "_fake_quantize_learnable_per_tensor_affine",
    "fake_quantize_per_tensor_affine_cachemask",
    "fake_quantize_per_channel_affine_cachemask",
    "quantize_per_tensor",
    "quantize_per_channel",
    "dequantize",
    "native_dropout_backward",
    "_masked_scale",
    "cumsum",
    "cumprod",
    "cummax",
    "cummin",
    "_cummax_helper",
    "_cummin_helper",
    "floor_divide",
    "nan_to_num",
    "_dirichlet_grad",
    "_standard_gamma_grad",
    "fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
}

# FLOPs per input element.
REDUCTION_FLOPS = {
    "sum": 1,
    "nansum": 1,
    "prod": 1,
    "max": 1,
    "min": 1,
    "amax": 1,
    "amin": 1,
    "aminmax": 2,
    "argmax": 1,
    "argmin": 1,
    "all": 1,
    "any": 1,
    "segment_reduce": 1,
    "median": 1,
    "mode": 1,
    "kthvalue": 1,
    "nanmedian": 1,
    "count_nonzero": 1,
    "_aminmax": 2,
    "_is_all_true": 1,
    "_is_any_true": 1,
    "allclose": 1,
    "mean": 1,
    "var": 3,
    "std": 3,
    "var_mean": 3,
    "std_mean": 3,
    "norm": 2,
    "linalg_vector_norm": 2,
    "_weight_norm_interface": 3,
    "_weight_norm_interface_backward": 4,
    "logsumexp": 4,  # as softmax, but for the division
    "renorm": 3,
    "native_norm": 2,
}

# FLOPs of a complex element, where that is not two real ones.
_COMPLEX_FLOPS = {
    "mul": 6,
    "square": 6,
    "addcmul": 8,
    "div": 11,
    "addcdiv": 13,
    "reciprocal": 6,
    "abs": 4,
    "angle": 1,
    "prod": 6,
}
_SCALES = ("mul", "div")  # by a real number, each part on its own


def pointwise(name: str) -> Formula:
    """So many per element of the first result: a second one is a by-product."""
    flops = POINTWISE_FLOPS.get(name, 1)

    def formula(*args: Any, out: Any, **_: Any) -> Cost:
        first = out[0] if isinstance(out, list | tuple) else out
        return Cost(0, _of_element(name, flops, args) * elements_of(first))

    return formula


def reduction(name: str) -> Formula:
    """So many per input element."""
    flops = REDUCTION_FLOPS.get(name, 1)

    def formula(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, _of_element(name, flops, (x,)) * elements_of(x))

    return formula


def foreach(name: str) -> Formula:
    """An elementwise operator, or a norm, on a list of tensors."""
    flops = REDUCTION_FLOPS["norm"] if name == "norm" else POINTWISE_FLOPS.get(name, 1)
    flops = 0 if name in MOVE | CREATE else flops

    def formula(tensors: Any, *_: Any, out: Any, **__: Any) -> Cost:
        return Cost(0, flops * elements_of(tensors))

    return formula


def _of_element(name: str, flops: int, args: tuple[Any, ...]) -> int:
    if not is_complex(*args):
        return flops
    if name in _SCALES and not all(map(is_complex, args[:2])):
        return 2
    return _COMPLEX_FLOPS.get(name, 2 * flops)


@cost_of("trace")
def trace(x: Any, *, out: Any) -> Cost:
    """One addition per element of the diagonal."""
    return Cost(0, min(x.shape))


@cost_of("affine_grid_generator")
def affine_grid(theta: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Every coordinate is an affine sum of the others: about 2 (d + 1) operations each."""
    return Cost(0, 2 * theta.shape[-1] * elements_of(out))


@cost_of("col2im")
def col2im(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Overlapping patches are added up: one addition per patch element."""
    return Cost(0, elements_of(x))


@cost_of("unfold_backward")
def unfold_backward(grad: Any, sizes: Any, dim: int, size: int, step: int, *, out: Any) -> Cost:
    """As above, along one axis; windows that do not overlap are only put back."""
    return Cost(0, elements_of(grad) if step < size else 0)


@cost_of(
    "upsample_nearest1d_backward",
    "upsample_nearest2d_backward",
    "upsample_nearest3d_backward",
    "_upsample_nearest_exact1d_backward",
    "_upsample_nearest_exact2d_backward",
    "_upsample_nearest_exact3d_backward",
    "reflection_pad1d_backward",
    "reflection_pad2d_backward",
    "reflection_pad3d_backward",
    "replication_pad1d_backward",
    "replication_pad2d_backward",
    "replication_pad3d_backward",
)
def gather_back(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per element of the gradient."""
    return Cost(0, elements_of(grad))


@cost_of("_segment_reduce_backward")
def segment_reduce_backward(grad: Any, result: Any, x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One operation per element that was reduced."""
    return Cost(0, elements_of(x))


@cost_of("_fft_r2c", "_fft_c2r", "_fft_c2c")
def fft(x: Any, dims: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Cooley-Tukey: 5 N log2 N per complex transform of N points, half for a real one."""
    real = not (x.dtype.is_complex and out.dtype.is_complex)
    whole = out if x.dtype.is_complex else x  # the real side has all points
    points = prod(whole.shape[dim] for dim in dims)
    return Cost(0, ceil((2.5 if real else 5.0) * elements_of(whole) * log2(max(points, 1))))
