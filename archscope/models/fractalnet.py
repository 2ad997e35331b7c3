"""FractalNet for CIFAR: Larsson, Maire, Shakhnarovich, "FractalNet: Ultra-Deep Neural Networks
without Residuals", ICLR 2017, arXiv:1605.07648.

Section 3: f_1(z) = conv(z) and f_{C+1}(z) = [(f_C o f_C)(z)] (+) conv(z), where conv is a 3x3
convolution, batch normalisation and ReLU, and the join (+) is the element-wise mean of all the
columns that meet, not a mean of means. A block is f_C and a 2x2 max pooling. B = 5 blocks of 64,
128, 256, 512 and 512 channels and a classifier make a network with 5 * 2^(C-1) convolutions in its
deepest column and 5 in its shallowest. It is written as the grid of Figure 1: column c, from 0, has
2^c convolutions in each block, and after a row those columns are joined that have just convolved.

Where the paper is silent we follow the authors' generator of Caffe networks: convolutions have
biases, dropout stands between a convolution and its normalisation, each column is pooled by itself
before the last join of a block, and the five poolings leave one pixel of a 32x32 image, so that the
classifier reads 512 values and other sizes are refused. Caffe's "xavier" filler is uniform with
variance 1 / fan_in.

These channels make 33.7 M parameters; the 38.6 M that others quote for 20 layers, and the 22.9 M
for 40, do not follow from them. The parameters in the paper's ultra-deep table do follow from its
channels (16, 32, 64, 128 and 128; C from 1 to 6; CIFAR-100), to the last digit that it prints.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from archscope.errors import InvalidInput

ARCHITECTURES = {
    "fractalnet20-cifar": {
        "family": "fractalnet",
        "year": 2016,
        "paper": "Larsson et al., arXiv:1605.07648",
        "input": [3, 32, 32],
        "build": "FractalNet",
        "options": {"columns": 3},
        "summary": "5 blocks of 3 columns: 20 convolutions deep",
    },
    "fractalnet40-cifar": {
        "family": "fractalnet",
        "year": 2016,
        "paper": "Larsson et al., arXiv:1605.07648",
        "input": [3, 32, 32],
        "build": "FractalNet",
        "options": {"columns": 4},
        "summary": "5 blocks of 4 columns: 40 convolutions deep",
    },
}


class FractalNet(nn.Module):
    """FractalNet: (N, 3, 32, 32) -> (N, num_classes).

    Args:
        columns: C, the columns of a block.
        num_classes: the width of the classifier.
        column: run this column by itself, 0 the shallowest; None runs all. The others' parameters
            stay in the network.
        drop_path: in training, how probably a join drops each of its inputs (local drop-path).
        global_drop_path: in training, the share of the mini-batches that run one random column
            in place of dropping locally.
        dropout: the last block's rate; it grows evenly from none in the first.
        bias: whether the convolutions have biases.
        channels: the width of each block.

    Raises:
        InvalidInput: there is no such column.
    """

    def __init__(
        self,
        columns: int = 3,
        num_classes: int = 10,
        column: int | None = None,
        drop_path: float = 0.15,
        global_drop_path: float = 0.5,
        dropout: float = 0.4,
        bias: bool = True,
        channels: tuple[int, ...] = (64, 128, 256, 512, 512),
    ):
        super().__init__()
        if column is not None and not 0 <= column < columns:
            raise InvalidInput(f"the columns are 0 to {columns - 1}; there is no column {column}.")
        self.num_columns = columns
        self.column = column
        self.drop_path = drop_path
        self.global_drop_path = global_drop_path
        self.blocks = nn.ModuleList()
        width_in = 3
        for i, width in enumerate(channels):
            rate = dropout * i / max(len(channels) - 1, 1)
            self.blocks.append(FractalBlock(width_in, width, columns, rate, bias))
            width_in = width
        self.fc = nn.Linear(width_in, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        drop_path = self.draw(x.device) if self.training else None
        for block in self.blocks:
            x = block(x, self.column, drop_path)  # (N, 64, 16, 16) ... (N, 512, 1, 1)
        return self.fc(x.flatten(1))  # (N, num_classes)

    def draw(self, device: torch.device) -> DropPath | None:
        if self.drop_path == 0 and self.global_drop_path == 0:
            return None
        return DropPath(self.drop_path, self.global_drop_path, self.num_columns, device)


class FractalBlock(nn.Module):
    """f_C and its pooling: (N, width_in, H, W) -> (N, width, H / 2, W / 2)."""

    def __init__(self, width_in: int, width: int, columns: int, dropout: float, bias: bool):
        super().__init__()
        self.columns = nn.ModuleList(
            nn.Sequential(
                *(convolution(width if i else width_in, width, dropout, bias) for i in range(2**c))
            )
            for c in range(columns)
        )
        self.pool = nn.MaxPool2d(2)
        self.join = Join()

    def forward(self, x: Tensor, column: int | None, drop_path: DropPath | None) -> Tensor:
        if column is not None:
            return self.pool(self.columns[column](x))
        reached = [x] * len(self.columns)  # how far each column has come
        rows = 2 ** (len(self.columns) - 1)
        for row in range(1, rows + 1):
            # Column c has a convolution every rows / 2^c rows: the deepest columns always.
            met = [c for c in range(len(self.columns)) if row * 2**c % rows == 0]
            for c in met:
                convolutions = cast(nn.Sequential, self.columns[c])
                reached[c] = convolutions[row * 2**c // rows - 1](reached[c])
            if row == rows:
                reached = [self.pool(z) for z in reached]
            joined = self.join([reached[c] for c in met], drop_path)
            for c in met:
                reached[c] = joined
        return reached[-1]


class Join(nn.Module):
    """The element-wise mean of the columns that meet, or of those that drop-path keeps.

    Dropped columns have a weight of zero and are computed all the same, as in the authors' code:
    a training step costs the same whatever is drawn.
    """

    def forward(self, columns: list[Tensor], drop_path: DropPath | None) -> Tensor:
        if len(columns) == 1:
            return columns[0]
        if drop_path is None:
            return total(columns) / len(columns)
        kept = drop_path.keep(len(columns)).to(columns[0].dtype)  # (K,)
        weights = (kept / kept.sum()).unbind()
        return total([weight * z for weight, z in zip(weights, columns, strict=True)])


class DropPath:
    """One mini-batch's draw (section 3.1): which of the columns each join keeps.

    Everything is drawn as tensors and never read, so that it runs on shapes alone too.

    Args:
        drop: how probably a join drops each of its inputs.
        share: how probably this mini-batch keeps one column throughout instead.
        columns: of the network.
        device: where to draw.
    """

    def __init__(self, drop: float, share: float, columns: int, device: torch.device):
        self.drop = drop
        self.is_global = torch.rand((), device=device) < share
        self.column = one_of(columns, device)  # (C,)

    def keep(self, count: int) -> Tensor:
        """Which of the ``count`` deepest columns a join keeps, at least one: bool (count,)."""
        device = self.column.device
        local = torch.rand(count, device=device) >= self.drop
        kept = torch.where(self.is_global, self.column[-count:], local)
        return torch.where(kept.any(), kept, one_of(count, device))


def one_of(count: int, device: torch.device) -> Tensor:
    """One of ``count``, at random: bool (count,)."""
    chosen = torch.randint(count, (), device=device)
    return torch.arange(count, device=device) == chosen


def total(tensors: list[Tensor]) -> Tensor:
    result = tensors[0]
    for tensor in tensors[1:]:
        result = result + tensor
    return result


def convolution(width_in: int, width: int, dropout: float, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(width_in, width, 3, padding=1, bias=bias)]
    if dropout > 0:
        layers.append(nn.Dropout(dropout, inplace=True))
    return nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def initialise(model: nn.Module) -> None:
    """Caffe's "xavier": U(-a, a) with a = sqrt(3 / fan_in); biases zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
