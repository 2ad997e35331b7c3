"""Pre-activation residual networks for CIFAR-10.

Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun, "Identity Mappings in Deep Residual Networks",
2016 (arXiv:1603.05027), section 4, Figure 1(b), Tables 2 and 3 and the appendix.

Batch normalisation and ReLU come before each convolution, and nothing but additions lies on the
shortcut. Two places need care (appendix): the first unit shares its activation between the residual
function and the shortcut, and an extra activation follows the last addition.

The 110-layer network is the basic one with zero-padded shortcuts (option A). Those of 164 and 1001
layers have bottlenecks, and a projection where the width changes; the paper does not say what that
projection reads, and the authors' code gives it the shared activation, as here. The code also puts
the stride in the unit's first 1x1, and initialises convolutions with a variance of 2 / fan_out.
"""

from __future__ import annotations

from torch import Tensor, nn

from archscope.errors import InvalidInput
from archscope.models.resnet import ZeroPad, conv1x1, conv3x3, initialise, stage

ARCHITECTURES = {
    "preact-resnet110-cifar": {
        "family": "preact-resnet-cifar",
        "year": 2016,
        "paper": "He et al., arXiv:1603.05027",
        "input": [3, 32, 32],
        "build": "CifarPreActResNet",
        "options": {"depth": 110},
        "summary": "54 basic units, zero-padded identity shortcuts (option A)",
    },
    "preact-resnet164-cifar": {
        "family": "preact-resnet-cifar",
        "year": 2016,
        "paper": "He et al., arXiv:1603.05027",
        "input": [3, 32, 32],
        "build": "CifarPreActResNet",
        "options": {"depth": 164, "bottleneck": True},
        "summary": "54 bottleneck units, three projections",
    },
    "preact-resnet1001-cifar": {
        "family": "preact-resnet-cifar",
        "year": 2016,
        "paper": "He et al., arXiv:1603.05027",
        "input": [3, 32, 32],
        "build": "CifarPreActResNet",
        "options": {"depth": 1001, "bottleneck": True},
        "summary": "333 bottleneck units, three projections",
    },
}


class CifarPreActResNet(nn.Module):
    """A pre-activation network of Table 3: (N, 3, H, W) -> (N, num_classes).

    Args:
        depth: weight layers on the longest path: 6n + 2 of basic units, 9n + 2 of bottlenecks.
        bottleneck: units of a 1x1, a 3x3 and a 1x1 in place of two 3x3.
        num_classes: the width of the classifier.

    Raises:
        InvalidInput: no whole number of units makes that depth.
    """

    def __init__(self, depth: int = 110, bottleneck: bool = False, num_classes: int = 10):
        super().__init__()
        unit, layers, widths = (
            (bottleneck_unit, 9, (64, 128, 256)) if bottleneck else (basic_unit, 6, (16, 32, 64))
        )
        n, rest = divmod(depth - 2, layers)
        if n < 1 or rest:
            kind = "bottlenecks" if bottleneck else "basic units"
            raise InvalidInput(f"the depth of a network of {kind} is {layers}n + 2, not {depth}.")

        self.conv1 = conv3x3(3, 16)
        self.maps_32 = nn.Sequential(
            unit(16, widths[0], 1, shared=True), *stage(unit, widths[0], widths[0], n - 1, stride=1)
        )
        self.maps_16 = stage(unit, widths[0], widths[1], n, stride=2)
        self.maps_8 = stage(unit, widths[1], widths[2], n, stride=2)
        self.bn = nn.BatchNorm2d(widths[2])
        self.relu = nn.ReLU(inplace=True)
        self.average_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[2], num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)  # (N, 16, 32, 32)
        x = self.maps_32(x)  # (N, 16 or 64, 32, 32)
        x = self.maps_16(x)  # (N, 32 or 128, 16, 16)
        x = self.maps_8(x)  # (N, 64 or 256, 8, 8)
        x = self.relu(self.bn(x))
        return self.fc(self.average_pool(x).flatten(1))  # (N, num_classes)


class Unit(nn.Module):
    """Figure 1(b): y = F(relu(bn(x))) + x, where F begins and ends with a convolution.

    Args:
        width_in: channels of x.
        residual: the rest of F.
        shortcut: what the skipped path applies: nothing, zero channels or a projection.
        shared: the shortcut reads relu(bn(x)) in place of x.
    """

    def __init__(self, width_in: int, residual: nn.Module, shortcut: nn.Module, shared: bool):
        super().__init__()
        self.bn = nn.BatchNorm2d(width_in)
        self.relu = nn.ReLU(inplace=True)
        self.residual = residual
        self.shortcut = shortcut
        self.shared = shared

    def forward(self, x: Tensor) -> Tensor:
        activated = self.relu(self.bn(x))
        return self.residual(activated) + self.shortcut(activated if self.shared else x)

    def extra_repr(self) -> str:
        return f"shared={self.shared}"


def basic_unit(width_in: int, width_out: int, stride: int, shared: bool = False) -> Unit:
    """Two 3x3 convolutions, and a shortcut of option A."""
    residual = nn.Sequential(
        conv3x3(width_in, width_out, stride),
        nn.BatchNorm2d(width_out),
        nn.ReLU(inplace=True),
        conv3x3(width_out, width_out),
    )
    same = width_in == width_out
    shortcut = nn.Identity() if same else ZeroPad(width_out - width_in, stride)
    return Unit(width_in, residual, shortcut, shared)


def bottleneck_unit(width_in: int, width_out: int, stride: int, shared: bool = False) -> Unit:
    """A 1x1, a 3x3 and a 1x1 convolution; a projection of the activation where the width grows."""
    width = width_out // 4
    residual = nn.Sequential(
        conv1x1(width_in, width, stride),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        conv3x3(width, width),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        conv1x1(width, width_out),
    )
    if width_in == width_out:
        return Unit(width_in, residual, nn.Identity(), shared)
    return Unit(width_in, residual, conv1x1(width_in, width_out, stride), shared=True)
