"""Residual and plain networks for CIFAR-10.

Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun, "Deep Residual Learning for Image Recognition",
2015 (arXiv:1512.03385), section 4.2 and Table 6.

A 3x3 convolution, then three stages of n basic blocks on maps of 32, 16 and 8 with 16, 32 and 64
filters, average pooling and a classifier: 6n + 2 weight layers. All shortcuts are identities,
padded with zeros where the width grows (option A), so a residual network has exactly the
parameters of its plain one. Many public versions have projections (option B) instead, and with
them more parameters than the paper's Table 6 (0.27 M for 20 layers to 19.4 M for 1202).

The plain network of 110 layers does not train in the paper (error over 60 %); it is here for its
cost and its depth.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from archscope.errors import InvalidInput
from archscope.models.resnet import BasicBlock, conv3x3, initialise, stage

ARCHITECTURES = {
    "resnet20-cifar": {
        "family": "resnet-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 20},
        "summary": "9 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "resnet32-cifar": {
        "family": "resnet-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 32},
        "summary": "15 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "resnet44-cifar": {
        "family": "resnet-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 44},
        "summary": "21 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "resnet56-cifar": {
        "family": "resnet-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 56},
        "summary": "27 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "resnet110-cifar": {
        "family": "resnet-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 110},
        "summary": "54 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "resnet1202-cifar": {
        "family": "resnet-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 1202},
        "summary": "600 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "plain20-cifar": {
        "family": "plain-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 20, "shortcut": "none"},
        "summary": "resnet20-cifar without its shortcuts",
    },
    "plain32-cifar": {
        "family": "plain-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 32, "shortcut": "none"},
        "summary": "resnet32-cifar without its shortcuts",
    },
    "plain44-cifar": {
        "family": "plain-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 44, "shortcut": "none"},
        "summary": "resnet44-cifar without its shortcuts",
    },
    "plain56-cifar": {
        "family": "plain-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 56, "shortcut": "none"},
        "summary": "resnet56-cifar without its shortcuts",
    },
    "plain110-cifar": {
        "family": "plain-cifar",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 32, 32],
        "build": "CifarResNet",
        "options": {"depth": 110, "shortcut": "none"},
        "summary": "resnet110-cifar without its shortcuts",
    },
}


class CifarResNet(nn.Module):
    """A residual or plain network of section 4.2: (N, 3, H, W) -> (N, num_classes).

    Args:
        depth: 6n + 2 weight layers.
        shortcut: "A", "B" or "C" as in section 4.1, or "none" for a plain network.
        num_classes: the width of the classifier.

    Raises:
        InvalidInput: the depth is not 6n + 2, or there is no such shortcut.
    """

    def __init__(self, depth: int = 20, shortcut: str = "A", num_classes: int = 10):
        super().__init__()
        n, rest = divmod(depth - 2, 6)
        if n < 1 or rest:
            raise InvalidInput(
                f"the depth of a CIFAR ResNet is 6n + 2 (8, 14, 20...), not {depth}."
            )
        block = partial(BasicBlock, shortcut=shortcut)
        self.conv1 = conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.maps_32 = stage(block, 16, 16, n, stride=1)
        self.maps_16 = stage(block, 16, 32, n, stride=2)
        self.maps_8 = stage(block, 32, 64, n, stride=2)
        self.average_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 16, 32, 32)
        x = self.maps_32(x)  # (N, 16, 32, 32)
        x = self.maps_16(x)  # (N, 32, 16, 16)
        x = self.maps_8(x)  # (N, 64, 8, 8)
        return self.fc(self.average_pool(x).flatten(1))  # (N, num_classes)
