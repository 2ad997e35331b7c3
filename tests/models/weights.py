"""The same random weights in two models, paired by the order of their state_dicts."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def share_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Give both models, built on meta, the same tensors and put them in eval mode.

    Convolutions and linear layers get He's variance, so that outputs stay of order one.
    """
    generator = torch.Generator().manual_seed(0)
    pairs = list(zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True))
    ours_weights, theirs_weights = {}, {}
    for (our_name, a), (their_name, b) in pairs:
        assert a.shape == b.shape, f"{our_name} {a.shape} is beside {their_name} {b.shape}"
        tensor = _random(our_name, a, generator)
        ours_weights[our_name] = theirs_weights[their_name] = tensor
    ours.load_state_dict(ours_weights, assign=True)
    theirs.load_state_dict(theirs_weights, assign=True)
    ours.eval()
    theirs.eval()


def _random(name: str, like: Tensor, generator: torch.Generator) -> Tensor:
    if not like.is_floating_point():
        return torch.zeros(like.shape, dtype=like.dtype)
    uniform = torch.rand(like.shape, generator=generator)
    if like.dim() > 1:
        fan_in = like[0].numel()
        return uniform.sub_(0.5).mul_((24 / fan_in) ** 0.5)  # variance 2 / fan_in
    if name.endswith(("running_var", "weight")):
        return uniform.add_(0.5)
    return uniform.sub_(0.5).mul_(0.2)
