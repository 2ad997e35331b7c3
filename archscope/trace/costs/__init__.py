"""Cost formulas: pure functions of shapes, one short function an operator.

A formula takes the operator's arguments (anything with ``shape`` and ``dtype``) and the keyword
``out``, and returns a ``Cost``. MACs are the multiply-adds of convolutions, linear layers, matrix
products, attention and recurrent cells; FLOPs are 2 per MAC plus everything else. Both are counted
in real arithmetic: a complex multiply-add is four real ones (as in BLAS, where cgemm is 8mnk).
"""

from archscope.trace.costs import (
    attention,
    distances,
    elementwise,
    linear_algebra,
    losses,
    normalisation,
    pooling,
    products,
    recurrent,
    resampling,
    scatter,
    vision,
)
from archscope.trace.costs.registry import FREE, Cost, formula_for

__all__ = [
    "FREE",
    "Cost",
    "attention",
    "distances",
    "elementwise",
    "formula_for",
    "linear_algebra",
    "losses",
    "normalisation",
    "pooling",
    "products",
    "recurrent",
    "resampling",
    "scatter",
    "vision",
]
