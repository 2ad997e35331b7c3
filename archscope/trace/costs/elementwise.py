"""Everything else: operators that compute per element, and those that compute nothing.

Only arithmetic on floating-point numbers counts: index arithmetic, comparisons of integers and
selection are not FLOPs. A transcendental function counts as one operation, as an addition does.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Any

from archscope.trace.costs.registry import Cost, cost_of, elements_of

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
    "_prelu_kernel_backward": 3,
    "glu": 2,
    "glu_backward": 5,
    "mse_loss": 3,
    "smooth_l1_loss": 4,
    "huber_loss": 4,
    "binary_cross_entropy": 5,
    "binary_cross_entropy_with_logits": 6,
    "mse_loss_backward": 3,
    "binary_cross_entropy_backward": 5,
    "smooth_l1_loss_backward": 4,
    "huber_loss_backward": 4,
    "soft_margin_loss": 4,
    "soft_margin_loss_backward": 5,
    "multi_margin_loss": 4,
    "multi_margin_loss_backward": 4,
    "_add_relu": 2,
    "glu_jvp": 5,
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
    "complex",
    "polar",
    "view_as_complex_copy",
    "angle",
    "_fake_quantize_learnable_per_tensor_affine",
    "fake_quantize_per_tensor_affine_cachemask",
    "fake_quantize_per_channel_affine_cachemask",
    "quantize_per_tensor",
    "quantize_per_channel",
    "dequantize",
    "native_dropout_backward",
    "cumsum",
    "cumprod",
    "logcumsumexp",
    "cummax",
    "cummin",
    "_cummax_helper",
    "_cummin_helper",
    "floor_divide",
    "linalg_cross",
    "nan_to_num",
    "_logcumsumexp",
    "_dirichlet_grad",
    "_standard_gamma_grad",
    "fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
}

# One FLOP per input element.
REDUCTIONS = {
    "sum",
    "nansum",
    "prod",
    "max",
    "min",
    "amax",
    "amin",
    "aminmax",
    "argmax",
    "argmin",
    "all",
    "any",
    "segment_reduce",
    "trace",
    "nll_loss_forward",
    "nll_loss2d_forward",
    "median",
    "mode",
    "kthvalue",
    "nanmedian",
    "_aminmax",
    "_is_all_true",
    "_is_any_true",
    "allclose",
}

_REDUCTION_FLOPS = {
    "mean": 1,
    "var": 3,
    "std": 3,
    "var_mean": 3,
    "std_mean": 3,
    "norm": 2,
    "linalg_vector_norm": 2,
    "_weight_norm_interface": 3,
    "_weight_norm_interface_backward": 4,
    "logsumexp": 2,
    "renorm": 3,
    "dist": 3,
    "native_norm": 2,
}

# Operators that make data out of nothing, or out of chance.
CREATE = {
    "empty",
    "empty_strided",
    "empty_like",
    "empty_permuted",
    "new_empty",
    "new_empty_strided",
    "zeros",
    "zeros_like",
    "new_zeros",
    "_efficientzerotensor",
    "ones",
    "ones_like",
    "new_ones",
    "full",
    "full_like",
    "new_full",
    "fill",
    "zero",
    "rand",
    "rand_like",
    "randn",
    "randn_like",
    "randint",
    "randint_like",
    "randperm",
    "random",
    "normal",
    "normal_functional",
    "uniform",
    "exponential",
    "bernoulli",
    "cauchy",
    "geometric",
    "log_normal",
    "multinomial",
    "poisson",
    "_sample_dirichlet",
    "_standard_gamma",
    "arange",
    "range",
    "linspace",
    "logspace",
    "eye",
    "tril_indices",
    "triu_indices",
    "scalar_tensor",
    "lift",
    "lift_fresh",
    "lift_fresh_copy",
    "hann_window",
    "hamming_window",
    "kaiser_window",
    "blackman_window",
    "bartlett_window",
    "tensor",
    "fft_fftfreq",
    "fft_rfftfreq",
    "binomial",
    "_empty_affine_quantized",
}

# Operators that copy, select or rearrange and compute nothing with floating-point numbers.
MOVE = {
    "native_dropout",  # what it does to a number is chance, not arithmetic of the architecture
    "dropout",
    "clone",
    "copy",
    "_to_copy",
    "_copy_from",
    "set",
    "resize",
    "detach",
    "cat",
    "_cat",
    "stack",
    "_stack",
    "hstack",
    "vstack",
    "constant_pad_nd",
    "pad",
    "reflection_pad1d",
    "reflection_pad2d",
    "reflection_pad3d",
    "replication_pad1d",
    "replication_pad2d",
    "replication_pad3d",
    "index",
    "_unsafe_index",
    "_unsafe_masked_index",
    "index_select",
    "index_copy",
    "index_fill",
    "gather",
    "take",
    "put",
    "masked_select",
    "masked_fill",
    "masked_scatter",
    "where",
    "scatter",
    "slice_scatter",
    "select_scatter",
    "diagonal_scatter",
    "as_strided_scatter",
    "slice_backward",
    "select_backward",
    "diagonal_backward",
    "unfold_backward",
    "embedding",
    "_linalg_check_errors",
    "_has_same_storage_numel",
    "one_hot",
    "flip",
    "roll",
    "rot90",
    "repeat",
    "repeat_interleave",
    "tile",
    "tril",
    "triu",
    "diag_embed",
    "diag",
    "channel_shuffle",
    "pixel_shuffle",
    "pixel_unshuffle",
    "native_channel_shuffle",
    "im2col",
    "unfold",
    "unfold_copy",
    "upsample_nearest1d",
    "upsample_nearest2d",
    "upsample_nearest3d",
    "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d",
    "max_unpool2d",
    "max_unpool3d",
    "sort",
    "argsort",
    "topk",
    "msort",
    "unique",
    "unique2",
    "_unique",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "unique_dim_consecutive",
    "nonzero",
    "nonzero_static",
    "searchsorted",
    "bucketize",
    "histc",
    "bincount",
    "_local_scalar_dense",
    "item",
    "is_nonzero",
    "equal",
    "is_same_size",
    "_assert_async",
    "_assert_tensor_metadata",
    "_pack_padded_sequence",
    "_pad_packed_sequence",
    "split_with_sizes_copy",
    "split_copy",
    "unbind_copy",
    "view_copy",
    "permute_copy",
    "expand_copy",
    "slice_copy",
    "select_copy",
    "_reshape_copy",
    "_foreach_copy",
    "view_as_real_copy",
    "to_mkldnn",
    "mkldnn_reorder_conv2d_weight",
    "_conj_physical",
    "_to_dense",
    "_to_sparse",
    "isnan",
    "isinf",
    "isfinite",
    "lift_fresh_copy_",
    "record_stream",
    "profiler::_record_function_enter_new",
    "profiler::_record_function_exit",
    "sym_size",
    "sym_numel",
    "sym_stride",
    "sym_storage_offset",
    "nested_tensor_from_mask",
    "_nested_tensor_from_mask",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_not",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    "__lshift__",
    "__rshift__",
    "__ilshift__",
    "__irshift__",
    "alias_copy",
    "as_strided_copy",
    "block_diag",
    "_chunk_cat",
    "_conj_copy",
    "detach_copy",
    "diagonal_copy",
    "_functional_assert_async",
    "histogram",
    "int_repr",
    "isin",
    "_jagged_to_padded_dense_forward",
    "_lazy_clone",
    "lu_unpack",
    "masked_scatter_backward",
    "mkldnn_reorder_conv3d_weight",
    "narrow_copy",
    "_neg_view_copy",
    "_padded_dense_to_jagged_forward",
    "_pin_memory",
    "resize_as",
    "_resize_output",
    "squeeze_copy",
    "t_copy",
    "transpose_copy",
    "unsafe_split",
    "unsafe_split_with_sizes",
    "unsqueeze_copy",
    "values_copy",
    "_coalesce",
    "_coalesced",
    "_convert_indices_from_coo_to_csr",
    "_convert_indices_from_csr_to_coo",
    "copy_sparse_to_sparse",
    "sparse_compressed_tensor",
    "sparse_coo_tensor",
    "_sparse_compressed_tensor_with_dims",
    "_sparse_coo_tensor_with_dims",
    "_sparse_coo_tensor_with_dims_and_tensors",
    "sparse_mask",
    "_to_sparse_bsc",
    "_to_sparse_bsr",
    "_to_sparse_csc",
    "_to_sparse_csr",
    "_validate_compressed_sparse_indices",
}

for _name, _flops in _REDUCTION_FLOPS.items():

    def _reduction(x: Any, *_: Any, out: Any, _flops: int = _flops, **__: Any) -> Cost:
        return Cost(0, _flops * elements_of(x))

    cost_of(_name)(_reduction)


@cost_of(
    "index_add",
    "index_put",
    "_unsafe_index_put",
    "_index_put_impl",
    "scatter_add",
    "scatter_reduce",
    "index_reduce",
    "_unsafe_masked_index_put_accumulate",
)
def scatter_add(x: Any, *rest: Any, out: Any, **options: Any) -> Cost:
    """One addition per element that is added; none when elements are only put."""
    source = max((elements_of(value) for value in rest), default=0)
    adds = options.get("accumulate", True) and (len(rest) < 3 or rest[2] is not False)
    return Cost(0, source if adds else 0)


@cost_of("embedding_dense_backward", "_embedding_bag_backward", "_embedding_bag_dense_backward")
def embedding_backward(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per element of the gradient."""
    return Cost(0, elements_of(grad))


@cost_of("_embedding_bag", "_embedding_bag_forward_only", "embedding_bag")
def embedding_bag(weight: Any, indices: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per looked-up element."""
    return Cost(0, elements_of(indices) * weight.shape[-1])


@cost_of("embedding_renorm")
def embedding_renorm(weight: Any, indices: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """A norm of every row that is looked up, and its scaling: 3 per element."""
    return Cost(0, 3 * elements_of(indices) * weight.shape[-1])


@cost_of("affine_grid_generator")
def affine_grid(theta: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Every coordinate is an affine sum of the others: about 2 (d + 1) operations each."""
    return Cost(0, 2 * theta.shape[-1] * elements_of(out))


@cost_of("col2im")
def col2im(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Overlapping patches are added up: one addition per patch element."""
    return Cost(0, elements_of(x))


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
    "nll_loss_backward",
    "nll_loss2d_backward",
    "_cdist_backward",
    "_segment_reduce_backward",
    "_embedding_bag_per_sample_weights_backward",
)
def gather_back(grad: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One addition per element of the gradient."""
    return Cost(0, elements_of(grad))


@cost_of("_fft_r2c", "_fft_c2r", "_fft_c2c")
def fft(x: Any, dims: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Cooley-Tukey: 5 N log2 N per complex transform of N points, half for a real one."""
    real = not (x.dtype.is_complex and out.dtype.is_complex)
    larger = max(elements_of(x), elements_of(out)) if not real else _real_side(x, out)
    points = 1
    for dim in dims:
        points *= (out if x.dtype.is_complex and not out.dtype.is_complex else x).shape[dim]
    return Cost(0, ceil((2.5 if real else 5.0) * larger * log2(max(points, 1))))


def _real_side(x: Any, out: Any) -> int:
    return elements_of(out) if x.dtype.is_complex else elements_of(x)


# The recursion of one state: the logarithm of a sum of three exponentials, and a sum.
_CTC_STATE = 13


@cost_of("_ctc_loss")
def ctc_loss(*_: Any, out: Any, **__: Any) -> Cost:
    """The forward variables: one recursion for each state and time step."""
    return Cost(0, _CTC_STATE * elements_of(out[1]))


@cost_of("_ctc_loss_backward")
def ctc_loss_backward(grad: Any, log_probs: Any, *args: Any, out: Any, **__: Any) -> Cost:
    """The backward variables, and for every class the sum over its states: as much again."""
    log_alpha = args[4]
    return Cost(0, 2 * _CTC_STATE * elements_of(log_alpha))


@cost_of("_pdist_forward")
def pdist(x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Each distance takes a subtraction, a power and an addition per coordinate."""
    return Cost(0, 3 * elements_of(out) * x.shape[-1])


@cost_of("_pdist_backward")
def pdist_backward(grad: Any, x: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """The same per coordinate of each distance."""
    return Cost(0, 3 * elements_of(grad) * x.shape[-1])


@cost_of("multilabel_margin_loss_forward", "multilabel_margin_loss_backward")
def multilabel_margin_loss(first: Any, second: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Each target is compared with every class: 3 per pair, at most. (Backward, the input comes
    after the gradient.)"""
    x = second if second.dtype.is_floating_point else first
    return Cost(0, 3 * elements_of(x) * x.shape[-1])
