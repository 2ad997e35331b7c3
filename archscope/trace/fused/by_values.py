"""Operators whose backward looks at values before it chooses a formula.

Under a dispatch mode and on the meta device torch takes the formula that is right for every value,
which needs several times the memory. Here is the one that it takes for most: where no factor is
zero, and where the extreme value is a number. After torch/csrc/autograd/FunctionsManual.cpp and
aten/src/ATen/native/ReduceOps.cpp; what those hold on to has a name here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.fused.running import running

# (gradient of the result, operand, result) -> gradient of the operand
Formula = Callable[[Tensor, Tensor, Tensor], Tensor]


class _WithFormula(torch.autograd.Function):
    """An operator as torch has it, with a backward of its own."""

    @staticmethod
    def forward(ctx: Any, run: Callable[[Tensor], Tensor], formula: Formula, x: Tensor) -> Tensor:
        with torch_private.below_autograd():
            result = run(x)
        ctx.save_for_backward(x, result)
        ctx.formula = formula
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, result = ctx.saved_tensors
        return None, None, ctx.formula(grads[0].to(x.dtype), x, result)


# -- products --------------------------------------------------------------------------------------


def prod(x: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """The product of all elements."""

    def formula(grad: Tensor, x: Tensor, result: Tensor) -> Tensor:
        if not x.dim():
            return grad
        (x == 0).sum()
        return grad * (result / x).conj()

    return _run(lambda x: torch.ops.aten.prod.default(x, dtype=dtype), formula, x)


def prod_along(
    x: Tensor, dim: int, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """The product along an axis."""

    def formula(grad: Tensor, x: Tensor, result: Tensor) -> Tensor:
        if not x.dim():
            return grad
        if not keepdim:
            grad, result = grad.unsqueeze(dim), result.unsqueeze(dim)
        zeros = x == 0
        counts = zeros.sum(dim, keepdim=True)
        share = grad * (result / x).conj()
        del zeros, counts
        return share

    return _run(lambda x: torch.ops.aten.prod.dim_int(x, dim, keepdim, dtype=dtype), formula, x)


def cumprod(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """The products of the elements up to each along an axis."""

    def run(x: Tensor) -> Tensor:
        return torch.ops.aten.cumprod.default(x, dim, dtype=dtype)

    return _run(run, _cumprod_formula(dim), x)


def cumprod_in_place(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """The same, written over its operand, of which autograd keeps a copy."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        with torch_private.below_autograd():
            return torch.ops.aten.cumprod_.default(x, dim, dtype=dtype)
    return _InPlace.apply(dim, dtype, x)


class _InPlace(torch.autograd.Function):
    """``cumprod_``."""

    @staticmethod
    def forward(ctx: Any, dim: int, dtype: torch.dtype | None, x: Tensor) -> Tensor:
        kept = x.clone()
        with torch_private.below_autograd():
            torch.ops.aten.cumprod_.default(x, dim, dtype=dtype)
        ctx.mark_dirty(x)
        ctx.save_for_backward(kept, x)
        ctx.formula = _cumprod_formula(dim)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        kept, result = ctx.saved_tensors
        return None, None, ctx.formula(grads[0], kept, result)


def _cumprod_formula(dim: int) -> Formula:
    def formula(grad: Tensor, x: Tensor, result: Tensor) -> Tensor:
        if not x.dim() or x.shape[dim] == 1:
            return grad
        weighted = result.conj() * grad
        zeros = x == 0
        flipped = weighted.flip(dim)
        summed = flipped.cumsum(dim)
        back = summed.flip(dim)
        del flipped, summed
        found = back.div(x.conj())
        del weighted, zeros
        return found

    return formula


# -- extreme values --------------------------------------------------------------------------------


def extreme(name: str) -> Callable[[Tensor], Tensor]:
    """The largest, smallest or middle of all elements; equal ones share its gradient."""
    overload = getattr(torch.ops.aten, name).default

    def on_cpu(grad: Tensor, x: Tensor, result: Tensor) -> Tensor:
        mask = x == result
        return grad.new_zeros(x.shape).masked_fill_(mask, grad / mask.sum())

    def on_cuda(grad: Tensor, x: Tensor, result: Tensor) -> Tensor:
        not_numbers = x.isnan().logical_and_(result.isnan())
        mask = (x == result).logical_or_(not_numbers)
        share = mask * (grad / mask.sum())
        del not_numbers
        return share

    def found(x: Tensor) -> Tensor:
        on_gpu = running().execution.device == "cuda"
        return _run(overload, on_cuda if on_gpu else on_cpu, x)

    return found


# -- values alone ----------------------------------------------------------------------------------


def svdvals(x: Tensor, *, driver: str | None = None) -> Tensor:
    """Singular values; the vectors are found where a gradient wants them."""
    vectors = torch.is_grad_enabled() and x.requires_grad
    return torch.ops.aten._linalg_svd.default(x, False, vectors, driver=driver)[1]


def eigvalsh(x: Tensor, uplo: str = "L") -> Tensor:
    """Eigenvalues of a symmetric matrix."""
    vectors = torch.is_grad_enabled() and x.requires_grad
    return torch.ops.aten._linalg_eigh.default(x, uplo, vectors)[0]


def eigvals(x: Tensor) -> Tensor:
    """Eigenvalues."""
    if torch.is_grad_enabled() and x.requires_grad:
        return torch.ops.aten.linalg_eig.default(x)[0]
    return torch.ops.aten._linalg_eigvals.default(x)


def _run(run: Callable[[Tensor], Tensor], formula: Formula, x: Tensor) -> Tensor:
    return _WithFormula.apply(run, formula, x)


KERNELS: dict[str, Callable[..., Tensor]] = {
    "prod": prod,
    "prod.dim_int": prod_along,
    "cumprod": cumprod,
    "cumprod_": cumprod_in_place,
    **{name: extreme(name) for name in ("max", "min", "median", "nanmedian")},
    "linalg_svdvals": svdvals,
    "linalg_eigvalsh": eigvalsh,
    "linalg_eigvals": eigvals,
}
