"""What every batch-normalised Inception network is made of: a normalised convolution and a fork.

An Inception module (Szegedy et al. 2014, "Going Deeper with Convolutions", section 4) sends one
input through several branches and concatenates what they return over the channels. The networks
are in ``inception_bn``, ``inception_v3``, ``inception_v4`` and ``inception_resnet``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class ConvBN(nn.Sequential):
    """Convolution, batch normalisation, ReLU: (N, C_in, H, W) -> (N, C_out, H', W').

    As in the figures of Szegedy et al. 2016 (1602.07261, section 3.1), the convolution keeps the
    grid ("same" padding) unless it is ``valid`` (marked V there), which pads nothing.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        valid: bool = False,
        bias: bool = False,
        eps: float = 1e-3,
    ) -> None:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if valid else (height // 2, width // 2)
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, (height, width), stride, padding, bias=bias
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=eps)
        self.relu = nn.ReLU(inplace=True)


class Branches(nn.ModuleDict):
    """Named branches on the same input, concatenated over the channels in the order given."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.values()], dim=1)


class Classifier(nn.Sequential):
    """Global average pooling, dropout, one linear layer: (N, C, H, W) -> (N, num_classes)."""

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)  # (N, C, 1, 1)
        self.flatten = nn.Flatten()  # (N, C)
        self.dropout = nn.Dropout(dropout, inplace=True)
        self.fc = nn.Linear(channels, num_classes)


def initialise(
    model: nn.Module, convolution: Callable[[Tensor], Tensor] = nn.init.kaiming_normal_
) -> None:
    """Initialise as the released TensorFlow code does, the papers being silent.

    Convolutions by ``convolution`` (He's normal: slim's ``inception_arg_scope``), linear layers by
    Glorot's uniform, biases zero. Batch normalisation starts at scale one and shift zero anyway.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            convolution(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
