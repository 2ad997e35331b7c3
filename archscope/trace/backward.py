"""What a training step does with whatever a model returned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from archscope.errors import InvalidInput


def finished(result: Any) -> Any:
    """What a model returned; of a generator, of which nothing has run yet, what it yields."""
    return tuple(result) if isinstance(result, Iterator) else result


def backpropagate(result: Any, outputs: Sequence[Tensor]) -> None:
    """Backpropagate from the loss where the model computes one, else from every output.

    Args:
        result: what the model returned.
        outputs: the tensors in it.

    Raises:
        InvalidInput: nothing in it needs a gradient.
    """
    loss = getattr(result, "loss", None)
    roots = [loss] if isinstance(loss, Tensor) else outputs
    roots = [root for root in roots if root.requires_grad]
    if not roots:
        raise InvalidInput(
            "no output of the model needs a gradient, so there is no backward pass; "
            "trace it in inference mode or unfreeze a parameter"
        )
    torch.autograd.backward(roots, [_seed(root) for root in roots])


def _seed(root: Tensor) -> Tensor:
    """The gradient that arrives at an output, of a view only as large as what it shows."""
    return torch.empty_like(root) if root.is_meta else torch.ones_like(root)
