"""Losses: what each of their terms takes, and one addition to sum a term up.

Letters: x the prediction, t the target, w a weight. A loss that is not reduced has no sum.
"""

from __future__ import annotations

from typing import Any

from archscope.trace.costs.normalisation import SOFTMAX_FLOPS
from archscope.trace.costs.registry import Cost, cost_of, elements_of, product

NO_REDUCTION = 0  # torch's numbers: none, mean, sum
MEAN = 1

# FLOPs of a term.
_TERM_FLOPS = {
    "mse_loss": 2,  # (x - t)^2
    "smooth_l1_loss": 4,  # |x - t|, and its square over 2 beta
    "huber_loss": 4,
    "soft_margin_loss": 4,  # log(1 + exp(-t x))
}


def _loss(of_term: int) -> Any:
    def loss(x: Any, target: Any, reduction: int = MEAN, *_: Any, out: Any, **__: Any) -> Cost:
        terms = max(elements_of(x), elements_of(target), elements_of(out))
        return Cost(0, terms * (of_term + _summed(reduction)))

    return loss


def _summed(reduction: int) -> int:
    return int(reduction != NO_REDUCTION)


for _name, _flops in _TERM_FLOPS.items():
    cost_of(_name)(_loss(_flops))


@cost_of("binary_cross_entropy")
def binary_cross_entropy(
    x: Any, target: Any, weight: Any = None, reduction: int = MEAN, *, out: Any
) -> Cost:
    """(t - 1) log(1 - x) - t log x: 7 a term, one more for a weight."""
    return Cost(0, elements_of(x) * (7 + (weight is not None) + _summed(reduction)))


@cost_of("binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(
    x: Any,
    target: Any,
    weight: Any = None,
    pos_weight: Any = None,
    reduction: int = MEAN,
    *,
    out: Any,
) -> Cost:
    """(1 - t) x - log s(x): 4 a term; a weight of the positive makes it (1 - t) x - w log s(x)
    with w = 1 + (p - 1) t, 4 more."""
    weights = (weight is not None) + 4 * (pos_weight is not None)
    return Cost(0, elements_of(x) * (4 + weights + _summed(reduction)))


@cost_of("nll_loss_forward", "nll_loss2d_forward")
def nll_loss(
    x: Any, target: Any, weight: Any = None, reduction: int = MEAN, *_: Any, out: Any, **__: Any
) -> Cost:
    """-w x_t: of all classes the target's alone is looked up; a sign, and a weight if any."""
    return Cost(0, elements_of(target) * (1 + (weight is not None) + _summed(reduction)))


@cost_of("nll_loss_backward", "nll_loss2d_backward")
def nll_loss_backward(grad: Any, x: Any, target: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """One product for each target."""
    return Cost(0, elements_of(target))


@cost_of("torch_nn::_linear_cross_entropy_batch_chunked_no_reduction")
def chunked_linear_cross_entropy(
    x: Any, weight: Any, target: Any, bias: Any = None, classes: Any = None, *_: Any, out: Any
) -> Cost:
    """A linear layer (N, D) to (N, C), its log-softmax and each target's term, chunk by chunk.

    Its twin that reduces computes the gradients beforehand too, and has no formula.
    """
    scores = x.shape[0] * weight.shape[0]
    terms = elements_of(target) * (1 + (classes is not None))
    extra = scores * (SOFTMAX_FLOPS + (bias is not None)) + terms
    return product(scores * x.shape[1], x.dtype, extra)


@cost_of("multi_margin_loss")
def multi_margin_loss(
    x: Any,
    target: Any,
    p: float = 1,
    margin: float = 1,
    weight: Any = None,
    reduction: int = MEAN,
    *,
    out: Any,
) -> Cost:
    """max(0, margin - x_t + x_c)^p of every class: 3, a power, a weight, and the sum over them."""
    return Cost(0, elements_of(x) * (4 + (p != 1) + (weight is not None)))


@cost_of("multilabel_margin_loss_forward", "multilabel_margin_loss_backward")
def multilabel_margin_loss(first: Any, second: Any, *_: Any, out: Any, **__: Any) -> Cost:
    """Each target is compared with every class: 3 per pair, at most. (Backward, the input comes
    after the gradient.)"""
    x = second if second.dtype.is_floating_point else first
    return Cost(0, 3 * elements_of(x) * (x.shape[-1] if x.shape else 1))


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
