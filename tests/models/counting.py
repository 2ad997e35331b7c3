"""Counts made by forward hooks on meta tensors, independent of archscope's own trace."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

LAYERS = Path(__file__).parents[1] / "data" / "layers"

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
LISTED = (
    nn.Conv2d,
    nn.Linear,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.LocalResponseNorm,
    nn.AdaptiveAvgPool2d,
    *POOLS,
)


def conv_and_linear_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """MACs of every call of a convolution or a linear layer for one sample of that shape."""
    return sum(int(row["macs"]) for row in layer_rows(model, shape))


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def layer_rows(model: nn.Module, shape: tuple[int, ...]) -> list[dict[str, str]]:
    """A row per call of a leaf layer, in order, in the columns of tests/data/layers.

    The model keeps its mode. A model that needs its parameters on meta is moved there.
    """
    rows: list[dict[str, str]] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        rows.append(_row(layer, inputs[0], output))

    model = model.to("meta")
    hooks = [m.register_forward_hook(record) for m in model.modules() if isinstance(m, LISTED)]
    try:
        model(torch.empty(1, *shape, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def expected_rows(name: str) -> list[dict[str, str]]:
    """The rows of tests/data/layers/NAME.csv."""
    with (LAYERS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _row(layer: nn.Module, x: Tensor, y: Tensor) -> dict[str, str]:
    convolution = isinstance(layer, nn.Conv2d)
    windowed = convolution or isinstance(layer, POOLS)
    macs = 0
    if isinstance(layer, nn.Conv2d):
        macs = y.numel() * layer.weight[0].numel()
    elif isinstance(layer, nn.Linear):
        macs = y.numel() * layer.in_features
    return {
        "type": type(layer).__name__,
        "kernel": _sizes(layer.kernel_size) if windowed else "",
        "stride": _sizes(layer.stride) if windowed else "",
        "padding": _sizes(layer.padding) if windowed else "",
        "groups": str(layer.groups) if convolution else "",
        "bias": str(layer.bias is not None) if convolution or isinstance(layer, nn.Linear) else "",
        "in": _sizes(tuple(x.shape[1:]), collapse=False),
        "out": _sizes(tuple(y.shape[1:]), collapse=False),
        "params": str(parameter_count(layer)),
        "macs": str(macs),
    }


def _sizes(value: Any, collapse: bool = True) -> str:
    """3 -> "3"; (3, 3) -> "3"; (1, 7) -> "1x7"; a shape -> "96x55x55"."""
    values = value if isinstance(value, tuple) else (value,)
    if collapse and len(set(values)) == 1:
        values = values[:1]
    return "x".join(str(v) for v in values)
