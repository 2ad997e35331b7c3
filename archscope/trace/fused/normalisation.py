"""Instance normalisation, which torch runs as the batch normalisation of a batch of one.

Batch statistics do not count, for they are no part of the network's one number; an instance's do,
as those of layer and group normalisation: they are taken in training and in evaluation alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from archscope.trace.costs import FREE, Cost
from archscope.trace.costs.normalisation import BATCH_NORMS, STATISTICS_FLOPS
from archscope.trace.fused.running import running


def instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Statistics count where they always come from the input. Running ones are for evaluation, and
    keeping them is not arithmetic of the architecture."""
    always = use_input_stats and running_mean is None
    statistics = STATISTICS_FLOPS * x.numel() if always else 0

    def with_statistics(name: str, cost: Cost) -> Cost:
        return Cost(cost.macs, cost.flops + statistics) if name in BATCH_NORMS else FREE

    with running().recorder.log.costing(with_statistics):
        return torch.ops.aten.instance_norm.default.decompose(
            x,
            weight,
            bias,
            running_mean,
            running_var,
            use_input_stats,
            momentum,
            eps,
            cudnn_enabled,
        )
