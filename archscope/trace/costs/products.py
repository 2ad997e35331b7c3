"""Matrix products and convolutions.

Letters: b batch, m x k times k x n, g groups, Cin and Cout channels, K kernel elements, O output
positions.
"""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.trace.costs.registry import Cost, cost_of, elements_of, product
from archscope.trace.sizes import is_sparse


def _matrix_product(a: Any, b: Any) -> int:
    """(m, k) @ (k, n): mnk; each element that a sparse matrix holds meets a row or a column."""
    if is_sparse(b) and not is_sparse(a):
        return a.shape[0] * elements_of(b)
    return elements_of(a) * b.shape[1]


@cost_of("mm", "_int_mm", "_sparse_mm", "_sparse_mm_reduce_impl")
def mm(a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """(m, k) @ (k, n): mnk."""
    return product(_matrix_product(a, b), a.dtype)


@cost_of("addmm", "addmm_", "_addmm_activation", "sspaddmm", "_sparse_addmm")
def addmm(bias: Any, a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """mnk, and one addition per output for the bias."""
    return product(_matrix_product(a, b), a.dtype, elements_of(out))


@cost_of("_scaled_mm", "_scaled_mm_v2")
def scaled_mm(a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """mnk, and one multiplication per output for the scale."""
    return product(a.shape[0] * a.shape[1] * b.shape[1], a.dtype, elements_of(out))


@cost_of(
    "_weight_int8pack_mm",
    "_weight_int4pack_mm",
    "_weight_int4pack_mm_for_cpu",
    "_weight_int4pack_mm_with_scales_and_zeros",
    "_dyn_quant_matmul_4bit",
    "_mixed_dtypes_linear",
)
def packed_mm(a: Any, weight: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A product with a packed quantised weight: output elements times k."""
    return product(elements_of(out) * a.shape[-1], a.dtype)


@cost_of("bmm")
def bmm(a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """(b, m, k) @ (b, k, n): bmnk."""
    return product(elements_of(a) * b.shape[2], a.dtype)


@cost_of("sparse_sampled_addmm")
def sampled_addmm(pattern: Any, a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """k for each element that the sparse operand holds, and one addition to it."""
    held = elements_of(pattern)
    return product(held * a.shape[-1], a.dtype, held)


@cost_of("_grouped_mm", "_scaled_grouped_mm")
def grouped_mm(a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Products of groups of rows, of columns, or one per batch: every term is in one group.

    (t, k) with (g, k, n) is tkn whichever row belongs to which group; (m, t) with (t, n), where
    the groups divide t, makes (g, m, n) from mtn.
    """
    if len(a.shape) == 2 and len(b.shape) == 2:
        return product(elements_of(a) * b.shape[1], a.dtype)
    return product(elements_of(out) * a.shape[-1], a.dtype)


@cost_of("baddbmm", "baddbmm_")
def baddbmm(bias: Any, a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """bmnk, and one addition per output."""
    return product(elements_of(a) * b.shape[2], a.dtype, elements_of(out))


@cost_of("addbmm", "addbmm_")
def addbmm(bias: Any, a: Any, b: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """bmnk: the b products are summed into one output."""
    return product(elements_of(a) * b.shape[2], a.dtype, elements_of(out))


@cost_of("mv")
def mv(a: Any, b: Any, *, out: Any) -> Cost:
    """(m, k) @ (k): mk."""
    return product(elements_of(a), a.dtype)


@cost_of("addmv", "addmv_")
def addmv(bias: Any, a: Any, b: Any, *, out: Any, **_: Any) -> Cost:
    """mk, and one addition per output."""
    return product(elements_of(a), a.dtype, elements_of(out))


@cost_of("dot", "vdot")
def dot(a: Any, b: Any, *, out: Any) -> Cost:
    """(k) . (k): k."""
    return product(elements_of(a), a.dtype)


@cost_of("addr", "addr_")
def addr(matrix: Any, a: Any, b: Any, *, out: Any, **_: Any) -> Cost:
    """An outer product added to a matrix: mn multiply-adds."""
    return product(elements_of(a) * elements_of(b), a.dtype)


@cost_of("linear", "mkldnn_linear")
def linear(x: Any, weight: Any, bias: Any = None, *_: Any, out: Any, **__: Any) -> Cost:
    """(..., k) with weight (n, k): every output takes k, and one addition for a bias."""
    extra = elements_of(out) if bias is not None else 0
    return product(elements_of(out) * x.shape[-1], x.dtype, extra)


_PACKED_LINEAR = (
    *("linear", "linear_relu", "linear_dynamic", "linear_relu_dynamic"),
    *("linear_dynamic_fp16", "linear_relu_dynamic_fp16", "linear_leaky_relu", "linear_tanh"),
)
_PACKED_CONVOLUTION = tuple(
    f"conv{dims}d{suffix}" for dims in (1, 2, 3) for suffix in ("", "_relu", "_dynamic")
)
PACKED_PRODUCTS = (*_PACKED_LINEAR, *_PACKED_CONVOLUTION)


@cost_of(*(f"quantized::{name}" for name in _PACKED_CONVOLUTION))
def quantised_convolution(x: Any, packed: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Every output takes the Cin/groups * kernel products of its filter, and adds a bias."""
    weight, bias = packed.unpack()  # (Cout, Cin/groups, *kernel)
    of_one_output = prod(weight.shape[1:])
    extra = elements_of(out) if bias is not None else 0
    return product(elements_of(out) * of_one_output, x.dtype, extra)


@cost_of(*(f"quantized::{name}" for name in _PACKED_LINEAR))
def quantised_linear(x: Any, packed: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """The weight is packed out of sight: every output takes k, as in ``linear``."""
    return product(elements_of(out) * x.shape[-1], x.dtype, elements_of(out))


@cost_of("linear_backward", "mkldnn_linear_backward")
def linear_backward(
    x: Any, grad: Any, weight: Any, output_mask: Any = (True,) * 3, *, out: Any
) -> Cost:
    """The input's gradient and the weight's cost as much as the forward product each."""
    wanted = sum(map(bool, output_mask[:2]))
    extra = elements_of(grad) if output_mask[2] else 0
    return product(wanted * elements_of(grad) * x.shape[-1], x.dtype, extra)


@cost_of("_trilinear")
def trilinear(
    i1: Any,
    i2: Any,
    i3: Any,
    new1: Any,
    new2: Any,
    new3: Any,
    summed: Any,
    *_: Any,
    out: Any,
    **__: Any,
) -> Cost:
    """Two products in turn, as torch runs a bilinear layer: (x W) y.

    out_o = sum_j (sum_i x_i W_oij) y_j, that is ioj + oj multiply-adds a sample. An axis that is
    summed and that the third operand lacks is summed by the first product.
    """
    first, second, third = _unsqueezed(i1, new1), _unsqueezed(i2, new2), _unsqueezed(i3, new3)
    inner = [max(sizes) for sizes in zip(first, second, strict=True)]
    between = [1 if axis in summed and axis in new3 else n for axis, n in enumerate(inner)]
    outer = [max(sizes) for sizes in zip(between, third, strict=True)]
    return product(prod(inner) + prod(outer), i1.dtype)


def _unsqueezed(tensor: Any, dims: Any) -> list[int]:
    shape = list(tensor.shape)
    for dim in sorted(dims):
        shape.insert(dim, 1)
    return shape


@cost_of("convolution", "_convolution", "convolution_overrideable")
def convolution(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    *_: Any,
    out: Any,
    **__: Any,
) -> Cost:
    """Each output element takes (Cin / g) K; transposed, each input element makes (Cout / g) K.

    The weight is (Cout, Cin / g, K), transposed (Cin, Cout / g, K). Padding counts: the products
    with zeros are executed.
    """
    per_element = elements_of(weight) // weight.shape[0]
    positions = elements_of(x) if transposed else elements_of(out)
    extra = elements_of(out) if bias is not None else 0
    return product(positions * per_element, x.dtype, extra)


@cost_of("convolution_backward", "convolution_backward_overrideable")
def convolution_backward(
    grad: Any,
    x: Any,
    weight: Any,
    bias_sizes: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    output_mask: Any,
    *,
    out: Any,
) -> Cost:
    """Both gradients pair the same (input, output) elements as the forward pass.

    dx = dy * W^T and dW = x^T * dy: each costs the forward's multiply-adds, when it is wanted (a
    frozen weight's is not). The bias's gradient sums dy.
    """
    per_element = elements_of(weight) // weight.shape[0]
    positions = elements_of(x) if transposed else elements_of(grad)
    wanted = int(output_mask[0]) + int(output_mask[1])
    extra = elements_of(grad) if output_mask[2] else 0
    return product(wanted * positions * per_element, x.dtype, extra)


@cost_of(
    "mkldnn_convolution",
    "cudnn_convolution",
    "cudnn_convolution_relu",
    "_slow_conv2d_forward",
    "thnn_conv2d",
    "slow_conv3d",
    "slow_conv3d_forward",
    "_conv_depthwise2d",
    "conv_depthwise3d",
    "slow_conv_dilated2d",
    "slow_conv_dilated3d",
    "_nnpack_spatial_convolution",
)
def kernel_convolution(x: Any, weight: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """The kernels that ``convolution`` chooses among, called by name."""
    return product(elements_of(out) * (elements_of(weight) // weight.shape[0]), x.dtype)


@cost_of("cudnn_convolution_transpose", "slow_conv_transpose2d", "slow_conv_transpose3d")
def kernel_transposed_convolution(x: Any, weight: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """As above, transposed."""
    return product(elements_of(x) * (elements_of(weight) // weight.shape[0]), x.dtype)


@cost_of("conv_tbc")
def conv_tbc(x: Any, weight: Any, bias: Any, pad: int = 0, *, out: Any) -> Cost:
    """Time x batch x channels, weight (K, Cin, Cout): every output takes K Cin."""
    return product(elements_of(out) * weight.shape[0] * weight.shape[1], x.dtype, elements_of(out))
