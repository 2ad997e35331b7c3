"""The register of formulas, by operator name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from archscope.trace.sizes import is_sparse
from archscope.trace.torch_private import sparse_parts


class Cost(NamedTuple):
    """Multiply-accumulates and floating-point operations of one operator."""

    macs: int
    flops: int


FREE = Cost(0, 0)

Formula = Callable[..., Cost]
_formulas: dict[str, Formula] = {}


def cost_of(*names: str) -> Callable[[Formula], Formula]:
    """Register a formula for operators by name, such as "mm" or "mkldnn::_convolution"."""

    def register(formula: Formula) -> Formula:
        for name in names:
            if name in _formulas:
                raise ValueError(f"two formulas for {name}")
            _formulas[name] = formula
        return formula

    return register


def formula_for(name: str) -> Formula | None:
    """The formula registered for an operator, or None."""
    return _formulas.get(name)


def elements_of(value: Any) -> int:
    """Elements of a tensor, or of all tensors in a list or tuple; 0 for anything else.

    A sparse tensor has those that it holds.
    """
    if is_sparse(value):
        value = sparse_parts(value)[0]
    if hasattr(value, "shape"):
        count = 1
        for size in value.shape:
            count *= size
        return count
    if isinstance(value, list | tuple):
        return sum(elements_of(item) for item in value)
    return 0


# They stand for real numbers: the dtype changes bytes, not operations.
_QUANTISED = (torch.qint8, torch.quint8, torch.qint32, torch.quint4x2, torch.quint2x4)


def is_floating(*values: Any) -> bool:
    """Whether a tensor of real or complex numbers is among these, or in their lists."""
    for value in values:
        dtype = getattr(value, "dtype", None)
        if dtype is not None and (dtype.is_floating_point or dtype.is_complex):
            return True
        if dtype in _QUANTISED:
            return True
        if isinstance(value, list | tuple) and is_floating(*value):
            return True
    return False


def is_complex(*values: Any) -> bool:
    """Whether a tensor of complex numbers, or such a number, is among these."""
    return any(
        isinstance(value, complex) or getattr(getattr(value, "dtype", None), "is_complex", False)
        for value in values
    )


def product(multiply_adds: int, dtype: Any, extra: int = 0) -> Cost:
    """A cost of multiply-adds in ``dtype``, and of ``extra`` additions (a bias) in it."""
    real_macs = 4 if dtype.is_complex else 1
    real_adds = 2 if dtype.is_complex else 1
    macs = real_macs * multiply_adds
    return Cost(macs, 2 * macs + real_adds * extra)
