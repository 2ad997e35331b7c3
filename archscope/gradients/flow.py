"""The gradient at every layer: how it shrinks or grows on its way from the loss to the input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archscope.analyzers.frames import frame
from archscope.arguments import (
    checked,
    file,
    function,
    not_negative,
    positive,
    reference_or_module,
    tensor,
)
from archscope.gradients.losses import Loss, default_loss
from archscope.gradients.products import BackwardGraph, backward_graph, gradients
from archscope.gradients.subject import Network, first_output, network, open_kernels
from archscope.trace import trace

if TYPE_CHECKING:
    import pandas as pd


@checked(
    model=reference_or_module,
    samples=positive,
    seed=not_negative,
    targets=tensor,
    loss=function,
    checkpoint=file,
)
def gradient_flow(
    model: str | nn.Module,
    inputs: Any = None,
    targets: Tensor | None = None,
    *,
    samples: int = 4,
    seed: int = 0,
    loss: Loss | None = None,
    checkpoint: str | Path | None = None,
    **options: Any,
) -> pd.DataFrame:
    """The norm of the loss's gradient at the output of every weight layer.

    Args:
        model: as all others, those of ``gradient_paths``.

    Returns:
        A row per weight layer in the order of the forward pass: ``layer``, counted from 1;
        ``path``, the module; ``gradient_norm``, the mean over the samples.

    Raises:
        ArchscopeError: as ``gradient_paths``.
    """
    subject = network(
        model,
        inputs,
        targets,
        samples=samples,
        seed=seed,
        checkpoint=checkpoint,
        options=options,
    )
    generator = torch.Generator().manual_seed(seed)
    found = [
        _norms(subject, sample, target, loss or default_loss(generator))
        for sample, target in zip(subject.samples, subject.targets, strict=True)
    ]
    mean = torch.tensor(found, dtype=torch.float64).mean(0).tolist()
    recorded = trace(subject.model, subject.samples[0], "inference")
    paths = [op.module for op in recorded.forward if op.weight_layer]
    if len(paths) != len(mean):  # a recurrent layer is one operator of the trace and many products
        paths = [""] * len(mean)
    rows = [
        {"layer": i, "path": path, "gradient_norm": norm}
        for i, (path, norm) in enumerate(zip(paths, mean, strict=True), start=1)
    ]
    table = frame(rows)
    table.attrs = {
        "model": subject.name,
        "conditions": subject.conditions(len(found)),
        "notes": subject.notes,
    }
    return table


def _norms(
    subject: Network, sample: tuple[Tensor, ...], target: Tensor | None, loss: Loss
) -> list[float]:
    sample = tuple(
        tensor.detach().clone().requires_grad_(tensor.dtype.is_floating_point) for tensor in sample
    )
    with open_kernels(subject.model):
        value = loss(first_output(subject.model(*sample)), target)
        graph = backward_graph(value, sample, subject.model.parameters())
        return _at_products(value, graph)


def _at_products(value: Tensor, graph: BackwardGraph) -> list[float]:
    norms = [0.0] * len(graph.products)

    def note(i: int, arriving: tuple[Tensor, ...]) -> None:
        norms[i] = float(arriving[0].norm())

    hooks = [
        node.register_prehook(lambda grads, i=i: note(i, grads))
        for i, node in enumerate(graph.products)
    ]
    try:
        gradients(value, graph.inputs, torch.ones_like(value))
    finally:
        for hook in hooks:
            hook.remove()
    return norms
