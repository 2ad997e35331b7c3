"""Attention as one operator, or as the products and the softmax that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.costs import Cost
from archscope.trace.costs.attention import attention_backward_cost, attention_cost
from archscope.trace.fused.closed_form import ClosedForm, run_closed
from archscope.trace.fused.in_parts import run_in_parts
from archscope.trace.fused.running import running
from archscope.trace.records import elements
from archscope.trace.remembered import META


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(Q K^T scale) V as one operator. Shapes (..., L, E), (..., S, E), (..., S, V)."""
    lead = _attention_heads(query, key, value, attn_mask, enable_gqa)
    heads = elements(tuple(lead))
    masked = is_causal or attn_mask is not None
    shape = (*lead, query.shape[-2], value.shape[-1])
    tensors = [query, key, value] if attn_mask is None else [query, key, value, attn_mask]
    cost = attention_cost(query, key, value, heads, masked)

    def compute(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        return torch.ops.aten.scaled_dot_product_attention.default.decompose(
            query, key, value, mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )

    def outputs() -> tuple[Tensor, ...]:
        return (_like_kernels(query, shape),)

    def reserve() -> tuple[Tensor, ...]:  # the logarithm of every row's sum, in float32
        return (torch.empty((*lead, query.shape[-2]), dtype=torch.float32, device=META),)

    def backward_cost(wanted: Sequence[bool]) -> Cost:
        return attention_backward_cost(query, key, value, heads, (wanted[0], wanted[1], wanted[2]))

    whole = running().recorder.on_data
    if not whole and not _fused_kernel_takes(query, key, value, attn_mask, dropout_p):
        return run_in_parts(
            "scaled_dot_product_attention",
            tensors,
            lambda: attention_with_scores(
                query,
                key,
                value,
                attn_mask,
                dropout_p,
                is_causal,
                scale=scale,
                enable_gqa=enable_gqa,
            ),
            cost,
            backward_cost,
        )
    closed = ClosedForm(
        name="scaled_dot_product_attention",
        cost=cost,
        backward_cost=backward_cost,
        outputs=outputs,
        reserve=reserve,
        compute=compute,
    )
    return run_closed(closed, tensors)


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: Any,
    block_mask: Any,
    scale: float,
    kernel_options: Any,
    *buffers: Any,
) -> Any:
    """Attention whose scores a function of the program changes, and its log-sum-exp and maxima.

    It costs what attention with a mask does: every score, whichever blocks a kernel skips.
    """
    lead = _attention_heads(query, key, value, None, key.shape[1] != query.shape[1])
    heads = elements(tuple(lead))
    shape = (*lead, query.shape[-2], value.shape[-1])

    def compute(*tensors: Tensor) -> Any:
        return torch_private.flex_attention_computed(
            *tensors, score_mod, block_mask, scale, kernel_options, *buffers
        )

    def rows() -> Tensor:
        return torch.empty(shape[:-1], dtype=torch.float32, device=META)

    def backward_cost(wanted: Sequence[bool]) -> Cost:
        return attention_backward_cost(query, key, value, heads, (wanted[0], wanted[1], wanted[2]))

    closed = ClosedForm(
        name="flex_attention",
        cost=attention_cost(query, key, value, heads, masked=True),
        backward_cost=backward_cost,
        outputs=lambda: (_like_kernels(query, shape), rows(), rows()),
        reserve=lambda: (),
        compute=compute,
    )
    return run_closed(closed, [query, key, value])


def attention_with_scores(*args: Any, **kwargs: Any) -> Tensor:
    """Attention as matrix products and a softmax: the scores are stored."""
    return torch.ops.aten._scaled_dot_product_attention_math.default(*args, **kwargs)[0]


def _attention_heads(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, grouped: bool
) -> tuple[int, ...]:
    """Batch and heads of the result. What torch's kernels refuse is refused here too."""
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise RuntimeError(f"attention needs at least two dimensions, got {shapes}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"attention cannot multiply {shapes}")
    keys = [tuple(key.shape[:-2]), tuple(value.shape[:-2])]
    if grouped:
        if query.shape[-3] % key.shape[-3] or query.shape[-3] % value.shape[-3]:
            raise RuntimeError(f"grouped queries need a multiple of the key's heads, got {shapes}")
        keys = [(*heads[:-1], query.shape[-3]) for heads in keys]
    lead = torch.broadcast_shapes(query.shape[:-2], *keys)
    scores = (*lead, query.shape[-2], key.shape[-2])
    if mask is not None and torch.broadcast_shapes(mask.shape, scores) != scores:
        raise RuntimeError(f"a mask of {tuple(mask.shape)} does not fit scores of {scores}")
    return tuple(lead)


def _fused_kernel_takes(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float
) -> bool:
    """Whether there is a kernel that never stores the scores; else torch computes step by step.

    The rules are those of aten/src/ATen/native/transformers/sdp_utils_cpp.h and its fellow for
    CUDA: (batch, heads, length, size), as many heads each (a grouped query's are repeated), the
    sizes side by side. On the CPU it has no dropout and gives a mask no gradient.
    """
    tensors = (query, key, value)
    if any(tensor.dim() != 4 or not tensor.numel() for tensor in tensors):
        return False
    if any(tensor.stride(-1) != 1 and tensor.shape[-1] != 1 for tensor in tensors):
        return False
    if not query.shape[0] == key.shape[0] == value.shape[0] or key.shape[1] != value.shape[1]:
        return False
    if running().execution.device != "cpu":
        return True
    plain_mask = mask is None or (mask.dim() in (2, 4) and not mask.requires_grad)
    return plain_mask and not dropout_p and query.shape[-1] == value.shape[-1]


def _like_kernels(query: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The output as the kernel lays it out, which decides whether the next layer copies it.

    On CUDA in float32 the memory-efficient kernel makes (batch, length, heads, size); flash
    attention, there and on the CPU, follows the query.
    """
    if len(shape) != 4 or query.dim() != 4:
        return torch.empty(shape, dtype=query.dtype, device=META)
    order = [0, 2, 1, 3]
    if running().execution.device == "cpu" or query.dtype != torch.float32:
        strides = query.stride()
        order = sorted(range(4), key=lambda axis: -strides[axis])
    return torch.empty_permuted(shape, order, dtype=query.dtype, device=META)
