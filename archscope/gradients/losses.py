"""What the gradient starts from."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor | None], Tensor]  # output, target -> scalar


def default_loss(generator: torch.Generator) -> Loss:
    """Cross-entropy with the target, or with a label drawn at random; for an output that is no
    vector of logits, its component in a random direction."""

    def loss(output: Tensor, target: Tensor | None) -> Tensor:
        if output.dim() == 2 and output.shape[1] > 1:
            if target is None:
                target = torch.randint(output.shape[1], (len(output),), generator=generator)
            return F.cross_entropy(output, target.to(output.device))
        if target is not None:
            return F.mse_loss(output, target.to(output))
        direction = torch.randn(output.shape, generator=generator, dtype=output.dtype)
        return (output * direction.to(output.device)).sum() / direction.norm()

    return loss
