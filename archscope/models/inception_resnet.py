"""Inception-ResNet-v1 and -v2: Inception modules as residual branches.

Szegedy, Ioffe, Vanhoucke and Alemi 2016, "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning" (1602.07261), sections 3.2 and 3.3. Each module ends in a linear
1x1 convolution (no normalisation, no ReLU, with bias) that restores the width, is scaled down and
added to the module's input (Figure 20). v1 costs about as much as Inception-v3, v2 as Inception-v4.

**v1** (Figure 15; Figures 10 to 13 the modules, 14 the stem) is a reconstruction from the figures:
5, 10 and 5 modules. No code or weights of the authors' were ever released, so its counts have
medium confidence: 22.8 M parameters here; the open reproduction for face recognition ends on a
sixth 8x8 module without ReLU (24.4 M), another zoo has 24.0 M.

**v2** (Figure 15; Figures 16 to 19 the modules) is the released code, whose weights and accuracies
everyone knows, and it is not the network of the paper:

* 10, 20 and 10 modules where the paper has 5, 10 and 5 (``blocks_a=5 blocks_b=10 blocks_c=5``
  gives these numbers; the other differences stay);
* the stem of Inception-v3 and one Inception module, 320 channels, where the paper has the stem of
  Inception-v4, 384 channels;
* so 1088 and 2080 channels on the smaller grids, where the paper's figures print 1154 and 2048;
* the last module has no ReLU and no scaling, and a 1x1 convolution to 1536 channels follows.

The paper asks for scales "between 0.1 and 0.3"; 0.17, 0.10 and 0.20 are the code's, taken for v1
too. It does not say how weights start: the code leaves slim's default, Glorot's uniform. The
code's auxiliary head is not in the paper: left out.
"""

from __future__ import annotations

from torch import Tensor, nn

from archscope.models.inception import Branches, Classifier, ConvBN, initialise
from archscope.models.inception_v3 import PoolProjection, stem
from archscope.models.inception_v4 import ReductionA

ARCHITECTURES = {
    "inception-resnet-v1": {
        "family": "inception",
        "year": 2016,
        "paper": "Szegedy et al. 2016, 1602.07261",
        "input": [3, 299, 299],
        "build": "InceptionResNetV1",
        "options": {},
        "summary": "residual Inception at the cost of v3; reconstructed from the figures",
    },
    "inception-resnet-v2": {
        "family": "inception",
        "year": 2016,
        "paper": "Szegedy et al. 2016, 1602.07261",
        "input": [3, 299, 299],
        "build": "InceptionResNetV2",
        "options": {},
        "summary": "residual Inception at the cost of v4, as the released code has it",
    },
}


class Residual(nn.Module):
    """x + scale * linear(branches(x)), then ReLU if ``relu``: (N, channels, H, W) -> the same."""

    def __init__(
        self, branches: Branches, concatenated: int, channels: int, scale: float, relu: bool = True
    ) -> None:
        super().__init__()
        self.scale = scale
        self.branches = branches
        self.linear = nn.Conv2d(concatenated, channels, 1)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.scale * self.linear(self.branches(x)))


class InceptionResNetA(Residual):
    """Figures 10 and 16, on 35x35; ``double`` are the widths of the two stacked 3x3."""

    def __init__(self, channels: int, double: tuple[int, int], scale: float = 0.17) -> None:
        first, second = double
        branches = Branches(
            conv1x1=ConvBN(channels, 32, 1),
            conv3x3=nn.Sequential(ConvBN(channels, 32, 1), ConvBN(32, 32, 3)),
            double3x3=nn.Sequential(
                ConvBN(channels, 32, 1), ConvBN(32, first, 3), ConvBN(first, second, 3)
            ),
        )
        super().__init__(branches, 32 + 32 + second, channels, scale)


class InceptionResNetB(Residual):
    """Figures 11 and 17, on 17x17; ``widths`` are those of 1x1, 1x7 and 7x1 in the long branch.

    The 1x1 branch is as wide as the long one at its end.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int], scale: float = 0.10) -> None:
        reduced, middle, last = widths
        branches = Branches(
            conv1x1=ConvBN(channels, last, 1),
            conv7x7=nn.Sequential(
                ConvBN(channels, reduced, 1),
                ConvBN(reduced, middle, (1, 7)),
                ConvBN(middle, last, (7, 1)),
            ),
        )
        super().__init__(branches, 2 * last, channels, scale)


class InceptionResNetC(Residual):
    """Figures 13 and 19, on 8x8; ``widths`` are those of 1x3 and 3x1 in the long branch."""

    def __init__(
        self, channels: int, widths: tuple[int, int], scale: float = 0.20, relu: bool = True
    ) -> None:
        middle, last = widths
        branches = Branches(
            conv1x1=ConvBN(channels, 192, 1),
            conv3x3=nn.Sequential(
                ConvBN(channels, 192, 1),
                ConvBN(192, middle, (1, 3)),
                ConvBN(middle, last, (3, 1)),
            ),
        )
        super().__init__(branches, 192 + last, channels, scale, relu)


class ReductionB(Branches):
    """Figures 12 and 18, 17x17 to 8x8: (N, C, H, W) -> (N, 384 + width + last + C, H', W')."""

    def __init__(self, channels: int, width: int, last: int) -> None:
        super().__init__(
            conv3x3=nn.Sequential(
                ConvBN(channels, 256, 1), ConvBN(256, 384, 3, stride=2, valid=True)
            ),
            narrow3x3=nn.Sequential(
                ConvBN(channels, 256, 1), ConvBN(256, width, 3, stride=2, valid=True)
            ),
            double3x3=nn.Sequential(
                ConvBN(channels, 256, 1),
                ConvBN(256, width, 3),
                ConvBN(width, last, 3, stride=2, valid=True),
            ),
            pool=nn.MaxPool2d(3, stride=2),
        )


class InceptionResNetV1(nn.Sequential):
    """Inception-ResNet-v1: (N, 3, 299, 299) -> (N, num_classes). Dropout keeps 0.8."""

    def __init__(
        self,
        num_classes: int = 1000,
        dropout: float = 0.2,
        blocks_a: int = 5,
        blocks_b: int = 10,
        blocks_c: int = 5,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem(), ConvBN(192, 256, 3, stride=2, valid=True))
        self.inception_a = nn.Sequential(
            *(InceptionResNetA(256, (32, 32)) for _ in range(blocks_a))
        )  # (N, 256, 35, 35)
        self.reduction_a = ReductionA(256, k=192, l=192, m=256, n=384)
        self.inception_b = nn.Sequential(
            *(InceptionResNetB(896, (128, 128, 128)) for _ in range(blocks_b))
        )  # (N, 896, 17, 17)
        self.reduction_b = ReductionB(896, width=256, last=256)
        self.inception_c = nn.Sequential(
            *(InceptionResNetC(1792, (192, 192)) for _ in range(blocks_c))
        )  # (N, 1792, 8, 8)
        self.classifier = Classifier(1792, num_classes, dropout)
        initialise(self, convolution=nn.init.xavier_uniform_)


class InceptionResNetV2(nn.Sequential):
    """Inception-ResNet-v2: (N, 3, 299, 299) -> (N, num_classes). Dropout keeps 0.8."""

    def __init__(
        self,
        num_classes: int = 1000,
        dropout: float = 0.2,
        blocks_a: int = 10,
        blocks_b: int = 20,
        blocks_c: int = 10,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem(), nn.MaxPool2d(3, stride=2))  # (N, 192, 35, 35)
        self.inception = Branches(
            conv1x1=ConvBN(192, 96, 1),
            conv5x5=nn.Sequential(ConvBN(192, 48, 1), ConvBN(48, 64, 5)),
            double3x3=nn.Sequential(ConvBN(192, 64, 1), ConvBN(64, 96, 3), ConvBN(96, 96, 3)),
            pool=PoolProjection(192, 64, count_padding=False),
        )
        self.inception_a = nn.Sequential(
            *(InceptionResNetA(320, (48, 64)) for _ in range(blocks_a))
        )  # (N, 320, 35, 35)
        self.reduction_a = ReductionA(320, k=256, l=256, m=384, n=384)
        self.inception_b = nn.Sequential(
            *(InceptionResNetB(1088, (128, 160, 192)) for _ in range(blocks_b))
        )  # (N, 1088, 17, 17)
        self.reduction_b = ReductionB(1088, width=288, last=320)
        self.inception_c = nn.Sequential(
            *(InceptionResNetC(2080, (224, 256)) for _ in range(blocks_c - 1)),
            InceptionResNetC(2080, (224, 256), scale=1.0, relu=False),
        )  # (N, 2080, 8, 8)
        self.conv = ConvBN(2080, 1536, 1)
        self.classifier = Classifier(1536, num_classes, dropout)
        initialise(self, convolution=nn.init.xavier_uniform_)
