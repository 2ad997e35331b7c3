"""Dropout, which is chance and no arithmetic of the architecture: it counts nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from archscope.trace.costs import FREE
from archscope.trace.fused.running import running


def dropout_on_cuda(x: Tensor, p: float, train: bool) -> Tensor:
    """In training one kernel, whose mask has one byte an element."""
    if train and 0 < p < 1 and x.numel():
        return torch.ops.aten.native_dropout.default(x, p, train)[0]
    return dropout(x, p, train)


def dropout(x: Tensor, p: float, train: bool) -> Tensor:
    """As torch's C++ has it where there is no kernel: draw a mask, scale it, multiply.

    It counts nothing, as the kernel does not: chance is not arithmetic of the architecture.
    """
    if p == 0 or not train:
        return x  # torch's Python decomposition would copy it, its kernels do not
    with running().recorder.log.costing(lambda name, cost: FREE):
        mask = torch.empty_like(x).bernoulli_(1 - p)
        return x * (mask.div_(1 - p) if p < 1 else mask)


def _as_torch_takes_it_apart(func: torch._ops.OpOverload) -> Callable[..., Tensor]:
    def kernel(x: Tensor, p: float, train: bool) -> Tensor:
        with running().recorder.log.costing(lambda name, cost: FREE):
            return func.decompose(x, p, train)

    return kernel


# In place, of whole channels, and those that keep mean and variance.
OTHER_KINDS = {
    name: _as_torch_takes_it_apart(getattr(torch.ops.aten, name).default)
    for kind in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
    for name in (kind, f"{kind}_")
    if name != "dropout"
}
