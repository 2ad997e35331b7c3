"""FLOPs of operators from the shapes of their operands alone, as `docs/conventions.md` has them.

Written apart from `archscope.trace.costs`, by the public function and not by what torch takes it
apart into: two roads to the same number. In letters, n is the number of elements of the first
operand, o of the first result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2, prod
from typing import Any

import torch
from torch import Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """The operands of a call, and the shapes of its results."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Shape]

    @property
    def x(self) -> Any:
        return self.args[0]

    @property
    def n(self) -> int:
        return self.x.numel()

    @property
    def o(self) -> int:
        return prod(self.results[0])

    def get(self, position: int, name: str, default: Any = None) -> Any:
        """An argument, however it was given."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def reduced(self, of_term: float, terms: int | None = None) -> float:
        """Terms of a loss, and one addition each unless they are not reduced."""
        terms = self.n if terms is None else terms
        return terms * (of_term + (self.kwargs.get("reduction", "mean") != "none"))


Form = Callable[[Call], float]


def flops(name: str, kind: str, call: Call) -> int | None:
    """What a call costs, None where there is no closed form here."""
    form = FORMS.get(name.removesuffix(".with_dtype"))
    if form is not None:
        found = form(call)
        return None if found is None else int(found)
    if name in FREE:
        return 0
    if kind == "elementwise" and name not in SEVERAL:
        return call.o
    if kind == "reduction" and not name.startswith("masked.") and name not in SEVERAL:
        return call.n
    return None


# Elementwise by name, but made of several operators.
SEVERAL = {"isclose", "isfinite", "__rdiv__", "float_power", "special.ndtr", "nanmean"}
SEVERAL |= {"nn.functional.softsign", "nn.functional.tanhshrink", "isreal", "masked.logaddexp"}

# What moves, makes or compares bits of data.
_FREE = """
    T H mT mH alias_copy arange as_strided as_strided_copy as_strided_scatter atleast_1d
    atleast_2d atleast_3d bernoulli bfloat16 bitwise_and bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor block_diag bool broadcast_tensors broadcast_to
    byte cat cauchy cdouble cfloat chalf char chunk clone column_stack complex conj
    conj_physical constant_pad_nd contiguous diag diag_embed diagflat diagonal diagonal_copy
    diagonal_scatter double dsplit dstack empty empty_like empty_permuted empty_strided expand
    expand_as expand_copy exponential eye fill flatten flip fliplr flipud float full full_like
    gather gcd geometric half hash_tensor hsplit hstack imag index_copy index_fill index_select
    int isinf isin isnan isneginf isposinf item lcm linspace log_normal logical_and logical_not
    logical_or logical_xor logspace long lu_unpack masked_fill masked_scatter masked_select
    meshgrid.list_of_tensors meshgrid.variadic_tensors movedim msort multinomial narrow
    narrow_copy new_empty new_empty_strided new_full new_ones new_zeros
    nn.functional.channel_shuffle nn.functional.embedding nn.functional.interpolate.nearest
    nn.functional.interpolate.nearest-exact nn.functional.max_unpool1d
    nn.functional.max_unpool2d nn.functional.max_unpool3d nn.functional.pad.circular
    nn.functional.pad.constant nn.functional.pad.reflect nn.functional.pad.replicate
    nn.functional.pixel_shuffle nn.functional.pixel_unshuffle nn.functional.unfold nonzero
    normal normal.in_place ones ones_like permute permute_copy positive rand_like randint
    randint_like randn randn_like ravel real repeat repeat_interleave reshape reshape_as
    resize_ resize_as_ resolve_conj resolve_neg roll rot90 scalar_tensor scatter searchsorted
    select select_scatter short slice slice_scatter sort argsort split split.list_args
    split_with_sizes split_with_sizes_copy squeeze squeeze.multiple squeeze_copy stack t t_copy
    take take_along_dim tensor_split tile to topk transpose transpose_copy tril tril_indices
    triu triu_indices unbind unbind_copy unflatten unfold unfold_copy uniform unsafe_chunk
    unsafe_split unsqueeze unsqueeze_copy view view_as view_as_complex view_as_real view_copy
    vsplit vstack where zero_ zeros zeros_like nonzero_static equal unique bucketize histc
    __getitem__ _unsafe_masked_index linalg.diagonal fft.fftshift fft.ifftshift __rand__
    __ror__ __rxor__
"""
FREE = frozenset(_FREE.split())


# -- products --------------------------------------------------------------------------------------


def _matmul(call: Call) -> float:
    x, y = call.args[:2]
    if x.dim() == 1 and y.dim() == 1:
        return 2 * x.numel()
    return 2 * call.o * x.shape[-1]


def _added(call: Call) -> float:
    """A product of the second and third operand, to which the first is added."""
    return call.o * (2 * call.args[1].shape[-1] + 1)


def _linear(call: Call) -> float:
    bias = call.o if call.get(2, "bias") is not None else 0
    return 2 * call.o * call.x.shape[-1] + bias


def _convolution(dims: int, transposed: bool = False) -> Form:
    def form(call: Call) -> float:
        weight = call.args[1]
        bias = call.o if call.get(2, "bias") is not None else 0
        positions = call.n if transposed else call.o
        return 2 * positions * prod(weight.shape[1:]) + bias

    return form


def _attention(call: Call) -> float:
    query, key, value = call.args[:3]
    scores = prod(call.results[0][:-1]) * key.shape[-2]
    masked = call.get(3, "attn_mask") is not None or call.get(5, "is_causal", False)
    return scores * (2 * (query.shape[-1] + value.shape[-1]) + 6 + bool(masked))


# -- normalisation and pooling ---------------------------------------------------------------------


def _norm(statistics: int, weight: int) -> Form:
    def form(call: Call) -> float:
        return call.n * (statistics + (4 if call.get(weight, "weight") is not None else 2))

    return form


def _instance_norm(call: Call) -> float | None:
    if call.get(1, "running_mean") is not None:
        return None  # torch averages running statistics over the batch besides
    return _norm(3, 3)(call)


def _rms_norm(call: Call) -> float:
    rows = call.n // max(prod(call.args[1]), 1)
    return call.n * (3 + (call.get(2, "weight") is not None)) + 2 * rows


def _pool(dims: int) -> Form:
    def form(call: Call) -> float:
        kernel = call.get(1, "kernel_size")
        kernel = (kernel,) * dims if isinstance(kernel, int) else tuple(kernel)
        return call.o * prod(kernel if len(kernel) == dims else kernel * dims)

    return form


def _adaptive_pool(dims: int) -> Form:
    """Window by window."""

    def form(call: Call) -> float:
        large, small = call.x.shape[-dims:], call.results[0][-dims:]
        along = [
            sum(ceil((i + 1) * n / m) - i * n // m for i in range(m))
            for n, m in zip(large, small, strict=True)
        ]
        return prod(call.x.shape[:-dims]) * prod(along)

    return form


def _grid_sample(dims: int) -> Form:
    def form(call: Call) -> float:
        along = {"nearest": 0, "bilinear": 2, "bicubic": 4}[call.get(2, "mode", "bilinear")]
        return 2 * along**dims * call.o

    return form


# -- losses, lookups, matrices, transforms ---------------------------------------------------------


def _nll(call: Call) -> float:
    target = call.args[1]
    return call.reduced(1 + (call.get(2, "weight") is not None), target.numel())


def _bce(of_term: int, positive: int = 0) -> Form:
    def form(call: Call) -> float:
        weights = (call.kwargs.get("weight") is not None) + positive * (
            call.kwargs.get("pos_weight") is not None
        )
        return call.reduced(of_term + weights)

    return form


def _embedding_bag(call: Call) -> float:
    weight, indices = call.args[:2]
    looked_up = indices.numel() * weight.shape[-1]
    weighted = call.kwargs.get("per_sample_weights") is not None
    mean = call.o if call.kwargs.get("mode", "mean") == "mean" else 0
    return looked_up * (1 + weighted) + mean


def _matrices(tall: float, square: float) -> Form:
    """FLOPs of m n^2 and of n^3 for every matrix of m >= n."""

    def form(call: Call) -> float:
        m, n = sorted(call.x.shape[-2:], reverse=True)
        each = int(tall * m * n**2 + square * n**3 + 1e-9)
        return prod(call.x.shape[:-2]) * each

    return form


def _fourier(factor: float, inverse: bool = False) -> Form:
    """5 N log2 N for N points of a complex transform, half for a real one."""

    def form(call: Call) -> float | None:
        dim = call.get(2, "dim", -1)
        if call.x.dtype.is_complex and not inverse:
            return None
        whole = call.results[0] if inverse or call.get(1, "n") is None else None
        if whole is None:
            shape = list(call.x.shape)
            shape[dim] = call.get(1, "n")
            whole = tuple(shape)
        elif not inverse:
            whole = tuple(call.x.shape)
        return ceil(factor * prod(whole) * log2(whole[dim]))

    return form


def _interpolation(neighbours: int) -> Form:
    return lambda call: 2 * neighbours * call.o


def _times(each: float) -> Form:
    return lambda call: each * call.o


def _of_input(each: float) -> Form:
    return lambda call: each * call.n


FORMS: dict[str, Form] = {
    **dict.fromkeys(("mm", "bmm", "matmul", "mv", "dot", "vdot"), _matmul),
    **dict.fromkeys(("addmm", "addmm.decomposed", "addmv", "baddbmm"), _added),
    "addbmm": lambda call: 2 * call.args[1].numel() * call.results[0][-1] + call.o,
    "nn.functional.linear": _linear,
    **{f"nn.functional.conv{d}d": _convolution(d) for d in (1, 2, 3)},
    **{f"nn.functional.conv_transpose{d}d": _convolution(d, True) for d in (1, 2, 3)},
    "nn.functional.scaled_dot_product_attention": _attention,
    **dict.fromkeys(("softmax", "log_softmax", "torch.ops.aten._safe_softmax.default"), _times(5)),
    "nn.functional.softmin": _times(6),
    "_softmax_backward_data": _times(4),
    "nn.functional.layer_norm": _norm(3, 2),
    "native_layer_norm": _norm(3, 2),
    "nn.functional.group_norm": _norm(3, 2),
    "native_group_norm": _norm(3, 1),
    "nn.functional.batch_norm": _norm(0, 3),
    "native_batch_norm": _norm(0, 1),
    "nn.functional.instance_norm": _instance_norm,
    "nn.functional.rms_norm": _rms_norm,
    **{f"nn.functional.{kind}_pool{d}d": _pool(d) for kind in ("avg", "max") for d in (1, 2, 3)},
    **{
        f"nn.functional.adaptive_{kind}_pool{d}d": _adaptive_pool(d)
        for kind in ("avg", "max")
        for d in (1, 2, 3)
    },
    "nn.functional.interpolate.linear": _interpolation(2),
    "nn.functional.interpolate.bilinear": _interpolation(4),
    "nn.functional.upsample_bilinear": _interpolation(4),
    "nn.functional.interpolate.bicubic": _interpolation(16),
    "nn.functional.interpolate.trilinear": _interpolation(8),
    "nn.functional.mse_loss": lambda call: call.reduced(2),
    "nn.functional.l1_loss": lambda call: call.reduced(2),
    "nn.functional.smooth_l1_loss": lambda call: call.reduced(4 if call.get(3, "beta", 1) else 2),
    "nn.functional.huber_loss": lambda call: call.reduced(4),
    "nn.functional.soft_margin_loss": lambda call: call.reduced(4),
    "nn.functional.binary_cross_entropy": _bce(7),
    "nn.functional.binary_cross_entropy_with_logits": _bce(4, 4),
    "nn.functional.nll_loss": _nll,
    "nn.functional.glu": _times(2),
    "nn.functional.cdist": lambda call: 3 * call.o * call.x.shape[-1],
    "cdist": lambda call: 3 * call.o * call.x.shape[-1],
    "nn.functional.pdist": lambda call: 3 * call.o * call.x.shape[-1],
    "cross": _times(3),
    "linalg.cross": _times(3),
    "addcmul": _times(2),
    "addcdiv": _times(2),
    "lerp": _times(3),
    "polar": _times(4),
    "clamp": _times(1),
    "cumsum": _times(1),
    "cumprod": _times(1),
    "cummax": _times(1),
    "cummin": _times(1),
    "logcumsumexp": _times(4),
    "logsumexp": _of_input(4),
    "kron": _times(1),
    "outer": _times(1),
    "trace": lambda call: min(call.x.shape),
    **dict.fromkeys(("max.reduction_no_dim", "max.reduction_with_dim"), _of_input(1)),
    **dict.fromkeys(("min.reduction_no_dim", "min.reduction_with_dim"), _of_input(1)),
    "aminmax": _of_input(2),
    **dict.fromkeys(("median", "nanmedian", "mode", "kthvalue"), _of_input(1)),
    **dict.fromkeys(("var", "std", "var.unbiased", "std.unbiased"), _of_input(3)),
    **dict.fromkeys(("var_mean", "std_mean", "var_mean.unbiased"), _of_input(3)),
    "std_mean.unbiased": _of_input(3),
    "linalg.vector_norm": _of_input(2),
    "renorm": _of_input(3),
    "dist": lambda call: 3 * prod(torch.broadcast_shapes(call.x.shape, call.args[1].shape)),
    "index_add": lambda call: call.args[3].numel(),
    "scatter_add": lambda call: call.args[2].numel(),
    **{
        f"scatter_reduce.{how}": lambda call: call.args[2].numel()
        for how in ("sum", "prod", "amin", "amax")
    },
    "scatter_reduce.mean": lambda call: call.args[2].numel() + call.o,
    **{
        f"index_reduce.{how}": lambda call: call.args[3].numel() for how in ("prod", "amin", "amax")
    },
    "index_reduce.mean": lambda call: call.args[3].numel() + call.o,
    "linalg.solve_ex": lambda call: _matrices(0, 2 / 3)(call) + 2 * call.o * call.x.shape[-1],
    "inner": lambda call: None if call.x.dim() == 0 or call.args[1].dim() == 0 else _matmul(call),
    "nn.functional.pairwise_distance": lambda call: 4 * call.n,
    "put": lambda call: call.args[1].numel() if call.get(3, "accumulate", False) else 0,
    "nn.functional.embedding_bag": _embedding_bag,
    "nn.functional.grid_sample": lambda call: _grid_sample(call.x.dim() - 2)(call),
    "cholesky": _matrices(0, 1 / 3),
    "linalg.cholesky_ex": _matrices(0, 1 / 3),
    "linalg.inv_ex": _matrices(0, 2),
    "linalg.lu": _matrices(0, 2 / 3),
    "linalg.lu_factor_ex": _matrices(0, 2 / 3),
    "linalg.svd": _matrices(14, 8),
    "linalg.eigh": _matrices(0, 9),
    "linalg.eig": _matrices(0, 25),
    "matrix_exp": _matrices(0, 10),
    "geqrf": _matrices(2, -2 / 3),
    "fft.fft": _fourier(2.5),
    "fft.rfft": _fourier(2.5),
    "fft.irfft": _fourier(2.5, inverse=True),
    **dict.fromkeys(("all", "any"), _of_input(1)),
}


def call_of(args: tuple[Any, ...], kwargs: dict[str, Any], returned: list[Any]) -> Call | None:
    """The call, if its first operand and its first result are tensors, or lists of them."""
    if not args or not isinstance(args[0], Tensor | list | tuple) or not returned:
        return None
    shapes = [one[0] for one in returned if isinstance(one, tuple)]
    return Call(args, kwargs, shapes) if shapes else None
