"""The register of formulas, by operator name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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


def product(multiply_adds: int, dtype: Any, extra: int = 0) -> Cost:
    """A cost of multiply-adds in ``dtype``, and of ``extra`` additions (a bias) in it."""
    real_macs = 4 if dtype.is_complex else 1
    real_adds = 2 if dtype.is_complex else 1
    macs = real_macs * multiply_adds
    return Cost(macs, 2 * macs + real_adds * extra)
