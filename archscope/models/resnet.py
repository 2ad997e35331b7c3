"""Residual networks for ImageNet, and the plain networks they are compared with.

Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun, "Deep Residual Learning for Image Recognition",
2015 (arXiv:1512.03385), sections 3.3 and 4.1, Table 1 and Figure 3.

Shortcuts (section 4.1): with option A they are identities, padded with zero channels where the
width grows; with B they are projections (1x1 convolutions) where the shape changes; with C all are
projections. The paper's 18 and 34 layers of Table 2 have A, everything deeper has B. The names
without a suffix here have B throughout, as the networks that everyone runs.

Where the stride goes: the paper halves the map in the first 1x1 convolution of a bottleneck, and
its FLOPs in Table 1 (multiply-adds) are those of that network: the names that end in "-v1". Its
later re-implementations moved the stride to the 3x3, for 231 M more multiply-adds and a better
accuracy: the names without "-v1".

Initialisation: the paper refers to He et al. 2015 (arXiv:1502.01852), which derives a variance of
2/fan_in from the forward pass (equation 10), one of 2/fan_out from the backward pass (equation 14),
and says that either alone will do; which one was used is not said. We take 2/fan_out, as the
authors' later public code does. Of the classifier nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from archscope.errors import InvalidInput

ARCHITECTURES = {
    "resnet18": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 18},
        "summary": "8 basic blocks, projection shortcuts (option B)",
    },
    "resnet34": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 34},
        "summary": "16 basic blocks, projection shortcuts (option B)",
    },
    "resnet50": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 50},
        "summary": "16 bottlenecks, stride in the 3x3 as everyone runs it",
    },
    "resnet101": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 101},
        "summary": "33 bottlenecks, stride in the 3x3 as everyone runs it",
    },
    "resnet152": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 152},
        "summary": "50 bottlenecks, stride in the 3x3 as everyone runs it",
    },
    "resnet50-v1": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 50, "stride_in_3x3": False},
        "summary": "16 bottlenecks, stride in the first 1x1 as in the paper",
    },
    "resnet101-v1": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 101, "stride_in_3x3": False},
        "summary": "33 bottlenecks, stride in the first 1x1 as in the paper",
    },
    "resnet152-v1": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 152, "stride_in_3x3": False},
        "summary": "50 bottlenecks, stride in the first 1x1 as in the paper",
    },
    "resnet18-a": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 18, "shortcut": "A"},
        "summary": "8 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "resnet34-a": {
        "family": "resnet",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 34, "shortcut": "A"},
        "summary": "16 basic blocks, zero-padded identity shortcuts (option A)",
    },
    "plain18": {
        "family": "plain",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 18, "shortcut": "none"},
        "summary": "resnet18 without its shortcuts",
    },
    "plain34": {
        "family": "plain",
        "year": 2015,
        "paper": "He et al., arXiv:1512.03385",
        "input": [3, 224, 224],
        "build": "ResNet",
        "options": {"depth": 34, "shortcut": "none"},
        "summary": "resnet34 without its shortcuts",
    },
}

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class ResNet(nn.Module):
    """A residual or plain network of Table 1: (N, 3, H, W) -> (N, num_classes).

    Args:
        depth: weight layers on the longest path: 18, 34, 50, 101 or 152.
        shortcut: "A", "B" or "C" as in section 4.1, or "none" for a plain network.
        stride_in_3x3: a bottleneck halves its map in its 3x3, not in its first 1x1.
        num_classes: the width of the classifier.

    Raises:
        InvalidInput: Table 1 has no such depth, or section 4.1 no such shortcut.
    """

    def __init__(
        self,
        depth: int = 50,
        shortcut: str = "B",
        stride_in_3x3: bool = True,
        num_classes: int = 1000,
    ):
        super().__init__()
        if depth not in BLOCKS:
            raise InvalidInput(f"ResNet's depth is one of {list(BLOCKS)}, not {depth}.")
        block: Block
        if depth < 50:
            block, expansion = partial(BasicBlock, shortcut=shortcut), 1
        else:
            block = partial(Bottleneck, shortcut=shortcut, stride_in_3x3=stride_in_3x3)
            expansion = 4
        widths = [expansion * width for width in (64, 128, 256, 512)]
        counts = BLOCKS[depth]

        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.max_pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2_x = stage(block, 64, widths[0], counts[0], stride=1)
        self.conv3_x = stage(block, widths[0], widths[1], counts[1], stride=2)
        self.conv4_x = stage(block, widths[1], widths[2], counts[2], stride=2)
        self.conv5_x = stage(block, widths[2], widths[3], counts[3], stride=2)
        self.average_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.max_pool(x)  # (N, 64, 56, 56)
        x = self.conv2_x(x)  # (N, 64 or 256, 56, 56)
        x = self.conv3_x(x)  # (N, 128 or 512, 28, 28)
        x = self.conv4_x(x)  # (N, 256 or 1024, 14, 14)
        x = self.conv5_x(x)  # (N, 512 or 2048, 7, 7)
        return self.fc(self.average_pool(x).flatten(1))  # (N, num_classes)


class BasicBlock(nn.Module):
    """Figure 5, left: y = relu(F(x) + x), F two 3x3 convolutions."""

    def __init__(self, width_in: int, width_out: int, stride: int, shortcut: str):
        super().__init__()
        self.conv1 = conv3x3(width_in, width_out, stride)
        self.bn1 = nn.BatchNorm2d(width_out)
        self.conv2 = conv3x3(width_out, width_out)
        self.bn2 = nn.BatchNorm2d(width_out)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = make_shortcut(shortcut, width_in, width_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """Figure 5, right: y = relu(F(x) + x), F a 1x1, a 3x3 and a 1x1 that widens four times."""

    def __init__(
        self, width_in: int, width_out: int, stride: int, shortcut: str, stride_in_3x3: bool
    ):
        super().__init__()
        width = width_out // 4
        first, second = (1, stride) if stride_in_3x3 else (stride, 1)
        self.conv1 = conv1x1(width_in, width, first)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, second)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, width_out)
        self.bn3 = nn.BatchNorm2d(width_out)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = make_shortcut(shortcut, width_in, width_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self.relu(y)


class ZeroPad(nn.Module):
    """Option A: every stride-th pixel, and zeros for the new channels. It has no parameters."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.channels = channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.channels))  # (N, C + channels, H / s, W / s)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, stride={self.stride}"


def make_shortcut(option: str, width_in: int, width_out: int, stride: int) -> nn.Module | None:
    """The shortcut of section 4.1 from x to F(x); None in a plain network.

    Raises:
        InvalidInput: there is no such option.
    """
    if option not in ("A", "B", "C", "none"):
        raise InvalidInput(f"a shortcut is A, B, C or none, not '{option}'.")
    if option == "none":
        return None
    if option == "C" or (option == "B" and (width_in != width_out or stride != 1)):
        return nn.Sequential(conv1x1(width_in, width_out, stride), nn.BatchNorm2d(width_out))
    if width_in == width_out and stride == 1:
        return nn.Identity()
    return ZeroPad(width_out - width_in, stride)


Block = Callable[[int, int, int], nn.Module]  # of the widths in and out, and the stride


def stage(block: Block, width_in: int, width_out: int, count: int, stride: int) -> nn.Sequential:
    """Blocks in a row, of which the first changes the width and the size of the map."""
    blocks: list[nn.Module] = []
    for _ in range(count):
        blocks.append(block(width_in, width_out, stride))
        width_in, stride = width_out, 1
    return nn.Sequential(*blocks)


def conv3x3(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, stride, padding=1, bias=False)


def conv1x1(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 1, stride, bias=False)


def initialise(model: nn.Module) -> None:
    """He et al. 2015, equation 14: convolutions N(0, 2 / fan_out); the classifier's bias zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
