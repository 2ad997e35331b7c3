"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, arXiv:1409.4842.

Table 1 and figure 3: a plain stem, nine Inception modules (figure 2b), global average pooling.
While training, two auxiliary classifiers on 4a and 4d send gradient into the middle of the network
(section 5): the deep supervision, weighted by 0.3 in the loss. They are built by ``aux=True``; in
training mode the network then returns three logits.

Table 1 is wrong in places. Its 2.7K parameters and 34M operations for the first convolution are a
separable 7x1, 1x7 one's (a 7x7 has 9.4K and 118M), and rows 4a, 4c, 4d, 4e, 5a and 5b are off; the
sum, "1.5 billion multiply-adds", is 1.58 in the network as drawn. The paper leaves the response
normalisation's parameters and the initialisation open: ours are those of Caffe's bvlc_googlenet,
whose pooling also rounds sizes up as the table's sizes need.
torchvision's ``googlenet`` is another network: batch norm, and 3x3 in place of the 5x5 kernels.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

ARCHITECTURES = {
    "googlenet": {
        "family": "inception",
        "year": 2014,
        "paper": "Szegedy et al., arXiv:1409.4842",
        "input": [3, 224, 224],
        "build": "GoogLeNet",
        "training_options": {"aux": True},
        "summary": "Inception v1: 22 layers, 9 modules",
    },
}


def conv_relu(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
) -> nn.Sequential:
    """A convolution that keeps the size (or divides it by the stride), and its ReLU."""
    padding = kernel_size // 2
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding),
            relu=nn.ReLU(inplace=True),
        )
    )


class Inception(nn.Module):
    """Figure 2(b): the Inception module with dimension reduction, arguments in Table 1's order.

    (N, in_channels, H, W) -> (N, n1x1 + n3x3 + n5x5 + pool_proj, H, W)
    """

    def __init__(
        self,
        in_channels: int,
        n1x1: int,
        n3x3_reduce: int,
        n3x3: int,
        n5x5_reduce: int,
        n5x5: int,
        pool_proj: int,
    ):
        super().__init__()
        self.conv1x1 = conv_relu(in_channels, n1x1, 1)
        self.conv3x3_reduce = conv_relu(in_channels, n3x3_reduce, 1)
        self.conv3x3 = conv_relu(n3x3_reduce, n3x3, 3)
        self.conv5x5_reduce = conv_relu(in_channels, n5x5_reduce, 1)
        self.conv5x5 = conv_relu(n5x5_reduce, n5x5, 5)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.pool_proj = conv_relu(in_channels, pool_proj, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self.conv1x1(x),
            self.conv3x3(self.conv3x3_reduce(x)),
            self.conv5x5(self.conv5x5_reduce(x)),
            self.pool_proj(self.pool(x)),
        ]
        return torch.cat(branches, dim=1)


class AuxiliaryClassifier(nn.Sequential):
    """Section 5's side network. (N, in_channels, 14, 14) -> (N, num_classes)"""

    def __init__(self, in_channels: int, num_classes: int, dropout: float):
        super().__init__(
            OrderedDict(
                pool=nn.AvgPool2d(5, stride=3),  # (N, in_channels, 4, 4)
                conv=conv_relu(in_channels, 128, 1),  # (N, 128, 4, 4)
                flatten=nn.Flatten(),
                fc=nn.Linear(128 * 4 * 4, 1024),
                relu=nn.ReLU(inplace=True),
                dropout=nn.Dropout(dropout),  # out of place: the ReLU's backward needs its output
                classifier=nn.Linear(1024, num_classes),
            )
        )


class GoogLeNet(nn.Module):
    """Table 1. (N, 3, H, W) -> (N, num_classes); three of them in training with ``aux``."""

    def __init__(
        self,
        num_classes: int = 1000,
        aux: bool = False,
        dropout: float = 0.4,
        aux_dropout: float = 0.7,
    ):
        super().__init__()
        self.conv1 = conv_relu(3, 64, 7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 64, 56, 56)
        self.norm1 = nn.LocalResponseNorm(5)
        self.conv2_reduce = conv_relu(64, 64, 1)
        self.conv2 = conv_relu(64, 192, 3)  # (N, 192, 56, 56)
        self.norm2 = nn.LocalResponseNorm(5)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 192, 28, 28)
        self.inception_3a = Inception(192, 64, 96, 128, 16, 32, 32)  # (N, 256, 28, 28)
        self.inception_3b = Inception(256, 128, 128, 192, 32, 96, 64)  # (N, 480, 28, 28)
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 480, 14, 14)
        self.inception_4a = Inception(480, 192, 96, 208, 16, 48, 64)  # (N, 512, 14, 14)
        self.aux1 = AuxiliaryClassifier(512, num_classes, aux_dropout) if aux else None
        self.inception_4b = Inception(512, 160, 112, 224, 24, 64, 64)  # (N, 512, 14, 14)
        self.inception_4c = Inception(512, 128, 128, 256, 24, 64, 64)  # (N, 512, 14, 14)
        self.inception_4d = Inception(512, 112, 144, 288, 32, 64, 64)  # (N, 528, 14, 14)
        self.aux2 = AuxiliaryClassifier(528, num_classes, aux_dropout) if aux else None
        self.inception_4e = Inception(528, 256, 160, 320, 32, 128, 128)  # (N, 832, 14, 14)
        self.pool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 832, 7, 7)
        self.inception_5a = Inception(832, 256, 160, 320, 32, 128, 128)  # (N, 832, 7, 7)
        self.inception_5b = Inception(832, 384, 192, 384, 48, 128, 128)  # (N, 1024, 7, 7)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 1024, 1, 1)
        self.dropout = nn.Dropout(dropout, inplace=True)
        self.linear = nn.Linear(1024, num_classes)
        self.initialise()

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        x = self.norm1(self.pool1(self.conv1(x)))
        x = self.pool2(self.norm2(self.conv2(self.conv2_reduce(x))))
        x = self.pool3(self.inception_3b(self.inception_3a(x)))
        x = middle1 = self.inception_4a(x)
        x = middle2 = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        x = self.pool4(self.inception_4e(x))
        x = self.inception_5b(self.inception_5a(x))
        logits = self.linear(self.dropout(self.pool5(x).flatten(1)))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return logits, self.aux1(middle1), self.aux2(middle2)
        return logits

    def initialise(self) -> None:
        """bvlc_googlenet: U(-a, a) with a^2 = 3 / fan_in; biases 0.2 under a ReLU, else 0."""
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="linear")
                assert layer.bias is not None
                feeds_relu = not name.endswith(("linear", "classifier"))
                nn.init.constant_(layer.bias, 0.2 if feeds_relu else 0.0)
