"""Normalisation and softmax: FLOPs by convention, never MACs.

Batch normalisation counts its application (subtract, divide, scale, shift: 4 per element, 2
without scale and shift) in training and in evaluation alike; the batch statistics that training
adds are not part of the network's one number. Layer and group normalisation always take their
statistics from the input: mean 1, variance 2, application 4 (2 without scale and shift). So does
instance normalisation, which torch runs as the batch normalisation of a batch of one.
"""

from __future__ import annotations

from typing import Any

from archscope.trace.costs.attention import SOFTMAX_BACKWARD_FLOPS, SOFTMAX_FLOPS
from archscope.trace.costs.registry import Cost, cost_of, elements_of

STATISTICS_FLOPS = 3


BATCH_NORMS = (
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_native_batch_norm_legit_functional",
    "_batch_norm_with_update_functional",
    "_batch_norm_with_update",
    "_batch_norm_no_update",
    "cudnn_batch_norm",
    "miopen_batch_norm",
)


@cost_of(*BATCH_NORMS)
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
