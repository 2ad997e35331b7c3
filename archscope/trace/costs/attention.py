"""Scaled dot-product attention, in closed form, whichever kernel runs.

Letters: B batch x query heads, L queries, S keys, E and V head sizes. The scores are LSE, the
weighted sum LSV multiply-adds. A causal mask does not lower the count: which part of the square a
kernel skips is the kernel's affair, and the same network has one number. The backward has four
products (dV = P^T dO, dP = dO V^T, dQ = dS K, dK = dS^T Q), twice the forward; the scores that
a fused kernel computes again to save memory are not counted either.
"""

from __future__ import annotations

from typing import Any

from archscope.trace.costs.registry import Cost, Formula, cost_of, elements_of, product

SOFTMAX_FLOPS = 5  # largest, subtract, exponential, sum, divide; each once per element


def attention_cost(query: Any, key: Any, value: Any, batch: int, masked: bool) -> Cost:
    """BLS (E + V) multiply-adds, and per score scaling, softmax and any mask."""
    scores = batch * query.shape[-2] * key.shape[-2]
    per_score = 1 + SOFTMAX_FLOPS + int(masked)
    return product(scores * (query.shape[-1] + value.shape[-1]), query.dtype, scores * per_score)


def attention_backward_cost(
    query: Any, key: Any, value: Any, batch: int, wanted: tuple[bool, bool, bool] = (True,) * 3
) -> Cost:
    """The products that the wanted gradients need, and the softmax's backward and scaling.

    dV = P^T dO; dQ = dS K and dK = dS^T Q, both of which need dP = dO V^T.
    """
    scores = batch * query.shape[-2] * key.shape[-2]
    to_query, to_key, to_value = wanted
    to_scores = to_query or to_key
    per_score = (to_query + to_key) * query.shape[-1] + (to_value + to_scores) * value.shape[-1]
    pointwise = scores * (SOFTMAX_BACKWARD_FLOPS + 1) if to_scores else 0
    return product(scores * per_score, query.dtype, pointwise)


SOFTMAX_BACKWARD_FLOPS = 4  # dS = P (dP - sum(P dP)): multiply, add, subtract, multiply


def _heads(tensor: Any) -> int:
    return elements_of(tensor) // max(tensor.shape[-2] * tensor.shape[-1], 1)


# Where behind (query, key, value) a kernel is told that it is causal; a mask or a bias is a tensor.
_CAUSAL_AT = {
    "scaled_dot_product_attention": 2,
    "_scaled_dot_product_flash_attention": 1,
    "_scaled_dot_product_flash_attention_for_cpu": 1,
    "_scaled_dot_product_efficient_attention": 3,
    "_scaled_dot_product_cudnn_attention": 3,
    "_scaled_dot_product_fused_attention_overrideable": 2,
    "flex_attention": 2,
}


def _forward(causal_at: int) -> Formula:
    def attention(query: Any, key: Any, value: Any, *rest: Any, out: Any, **options: Any) -> Cost:
        """(B, H, L, E), (B, H, S, E), (B, H, S, V)."""
        causal = options.get("is_causal", len(rest) > causal_at and rest[causal_at] is True)
        masks = (*rest, *options.values())
        masked = bool(causal) or any(hasattr(mask, "shape") for mask in masks)
        return attention_cost(query, key, value, _heads(query), masked)

    return attention


for _name, _position in _CAUSAL_AT.items():
    cost_of(_name)(_forward(_position))


@cost_of(
    "_scaled_dot_product_flash_attention_backward",
    "_scaled_dot_product_flash_attention_for_cpu_backward",
    "_scaled_dot_product_efficient_attention_backward",
    "_scaled_dot_product_cudnn_attention_backward",
    "_scaled_dot_product_fused_attention_overrideable_backward",
    "flex_attention_backward",
)
def attention_backward(
    grad: Any, query: Any, key: Any, value: Any, *_: Any, out: Any, **__: Any
) -> Cost:
    """The backward of every kernel."""
    return attention_backward_cost(query, key, value, _heads(query))


@cost_of("_flash_attention_forward", "_efficient_attention_forward", "_cudnn_attention_forward")
def packed_layout(query: Any, key: Any, value: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """The kernels below the public function, laid out (B, L, H, E)."""
    batch = elements_of(query) // max(query.shape[-3] * query.shape[-1], 1)
    scores = batch * query.shape[-3] * key.shape[-3]
    macs = scores * (query.shape[-1] + value.shape[-1])
    return product(macs, query.dtype, scores * (1 + SOFTMAX_FLOPS))
