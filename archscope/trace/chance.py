"""Masks that a forward pass draws for itself, such as those of stochastic depth.

They are there in training only, and a network has one number in training and in evaluation: what a
mask takes to make, and a product with it, is chance and no arithmetic, as all of dropout is.
"""

from __future__ import annotations

from collections.abc import Sequence

from archscope.trace.costs import FREE, Cost

_DRAWS = ("bernoulli", "bernoulli_")
_PRODUCTS = ("mul", "mul_")


class Chance:
    """Which storages hold nothing but chance."""

    def __init__(self) -> None:
        self._masks: set[int] = set()

    def cost(
        self, name: str, cost: Cost, reads: Sequence[int], writes: Sequence[int], *, drawn: bool
    ) -> Cost:
        """What an operator costs, by the storages that it reads and writes.

        ``drawn`` says that no operand was made of an input, so that a draw is chance alone.
        """
        if not self._masks and name not in _DRAWS:
            return cost
        masked = [storage in self._masks for storage in reads]
        if (name in _DRAWS and drawn) or (masked and all(masked)):
            self._masks.update(writes)
            return FREE
        self._masks.difference_update(writes)
        return FREE if name in _PRODUCTS and any(masked) else cost
