"""Where autograd writes in place, but never under a dispatch mode.

Torch's backward formulas keep to operators that make new tensors wherever a mode or a subclass may
be watching (``areAnyTensorSubclassLike`` in torch/csrc/autograd/FunctionsManual.cpp), and so does
the engine where gradients meet. Unwatched, they write into what they alone hold.
"""

from __future__ import annotations

from enum import Enum

# Into zeros that were just made.
_SCATTERING = {"scatter", "scatter_add", "masked_scatter", "put"}
_SCATTERING |= {"index_add", "index_fill", "index_put"}
# In single formulas, by the beginning of the node's name.
_FORMULAS = {
    "sub": ("BinaryCrossEntropyWithLogits",),
    "mul": ("BinaryCrossEntropy",),
    "logical_and": ("Clamp",),
    "logical_or": ("Clamp",),
}
# What the last of those make new: the gradient of logits' target is -x times another.
NEW_IN_FORMULAS = {"neg"}
# Formulas that make a sum of their own, which is a new tensor.
_SUMS_OF_THEIR_OWN = ("VarMean", "StdMean", "Linalg", "Lu", "Cholesky", "Triangular")
WATCHED = _SCATTERING | _FORMULAS.keys() | {"add"}


class InPlace(Enum):
    """When the result takes the place of the first operand."""

    NEVER = "never"
    IF_ALONE = "if nothing else holds that"
    IF_ALONE_AND_ZERO = "if nothing else holds that, and it is zeros"
    ALWAYS = "whatever holds that, if the formula made it"


def in_place(operator: str, node: str) -> InPlace:
    """How autograd runs an operator of ``WATCHED`` in, or right after, the backward of a node."""
    if operator in _SCATTERING:
        return InPlace.IF_ALONE_AND_ZERO
    if operator == "add":
        return InPlace.NEVER if node.startswith(_SUMS_OF_THEIR_OWN) else InPlace.IF_ALONE
    return InPlace.ALWAYS if node.startswith(_FORMULAS[operator]) else InPlace.NEVER
