"""Operators that are one kernel on CPU and CUDA, and that torch takes apart elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from archscope.trace.costs import FREE
from archscope.trace.fused.running import running
from archscope.trace.operators import operator


def one_kernel(func: torch._ops.OpOverload) -> Callable[..., Tensor]:
    """The kernel that records an operator as one."""
    facts = operator(func)

    def kernel(*args: Tensor) -> Tensor:
        recorder = running().recorder
        with recorder.silence():
            result = func.decompose(*args)
        cost = facts.formula(*args, out=result) if facts.formula is not None else FREE
        recorder.log.append(facts.name, args, [result], cost)
        return result

    return kernel


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Torch adds the bias in place to the product of a strided input, but not under a mode."""
    if bias is None or x.dim() < 3 or x.is_contiguous():
        return torch.ops.aten.linear.default.decompose(x, weight, bias)
    return torch.matmul(x, weight.t()).add_(bias)
