"""Inception-v4: Inception made uniform, every module on a grid the same.

Szegedy, Ioffe, Vanhoucke and Alemi 2016, "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning" (1602.07261), section 3.1: Figure 9 is the network, Figure 3 its
stem, Figures 4 to 6 the modules on 35x35, 17x17 and 8x8, Figures 7 and 8 the reductions between.

The paper does not say how weights start; we start as the released code does. That code also has an
auxiliary head in training, which the paper never mentions for this network: left out. Average
pooling leaves the padding out of its mean, as in TensorFlow.
"""

from __future__ import annotations

from torch import nn

from archscope.models.inception import Branches, Classifier, ConvBN, initialise
from archscope.models.inception_v3 import PoolProjection, Split3x3

ARCHITECTURES = {
    "inception-v4": {
        "family": "inception",
        "year": 2016,
        "paper": "Szegedy et al. 2016, 1602.07261",
        "input": [3, 299, 299],
        "build": "InceptionV4",
        "options": {},
        "summary": "4, 7 and 3 uniform Inception modules on a forked stem",
    },
}


class Stem(nn.Sequential):
    """Figure 3: (N, 3, 299, 299) -> (N, 384, 35, 35)."""

    def __init__(self) -> None:
        super().__init__(
            ConvBN(3, 32, 3, stride=2, valid=True),  # (N, 32, 149, 149)
            ConvBN(32, 32, 3, valid=True),  # (N, 32, 147, 147)
            ConvBN(32, 64, 3),  # (N, 64, 147, 147)
            Branches(
                pool=nn.MaxPool2d(3, stride=2),
                conv3x3=ConvBN(64, 96, 3, stride=2, valid=True),
            ),  # (N, 160, 73, 73)
            Branches(
                conv3x3=nn.Sequential(ConvBN(160, 64, 1), ConvBN(64, 96, 3, valid=True)),
                conv7x7=nn.Sequential(
                    ConvBN(160, 64, 1),
                    ConvBN(64, 64, (1, 7)),
                    ConvBN(64, 64, (7, 1)),
                    ConvBN(64, 96, 3, valid=True),
                ),
            ),  # (N, 192, 71, 71)
            Branches(
                conv3x3=ConvBN(192, 192, 3, stride=2, valid=True),
                pool=nn.MaxPool2d(3, stride=2),
            ),  # (N, 384, 35, 35)
        )


class InceptionA(Branches):
    """Figure 4: (N, 384, H, W) -> the same."""

    def __init__(self) -> None:
        super().__init__(
            conv1x1=ConvBN(384, 96, 1),
            conv3x3=nn.Sequential(ConvBN(384, 64, 1), ConvBN(64, 96, 3)),
            double3x3=nn.Sequential(ConvBN(384, 64, 1), ConvBN(64, 96, 3), ConvBN(96, 96, 3)),
            pool=PoolProjection(384, 96, count_padding=False),
        )


class ReductionA(Branches):
    """Figure 7, with k, l, m, n from Table 1: (N, C, H, W) -> (N, n + m + C, H', W')."""

    def __init__(self, channels: int, k: int, l: int, m: int, n: int) -> None:  # noqa: E741
        super().__init__(
            conv3x3=ConvBN(channels, n, 3, stride=2, valid=True),
            double3x3=nn.Sequential(
                ConvBN(channels, k, 1), ConvBN(k, l, 3), ConvBN(l, m, 3, stride=2, valid=True)
            ),
            pool=nn.MaxPool2d(3, stride=2),
        )


class InceptionB(Branches):
    """Figure 5: (N, 1024, H, W) -> the same."""

    def __init__(self) -> None:
        super().__init__(
            conv1x1=ConvBN(1024, 384, 1),
            conv7x7=nn.Sequential(
                ConvBN(1024, 192, 1), ConvBN(192, 224, (1, 7)), ConvBN(224, 256, (7, 1))
            ),
            double7x7=nn.Sequential(
                ConvBN(1024, 192, 1),
                ConvBN(192, 192, (7, 1)),
                ConvBN(192, 224, (1, 7)),
                ConvBN(224, 224, (7, 1)),
                ConvBN(224, 256, (1, 7)),
            ),
            pool=PoolProjection(1024, 128, count_padding=False),
        )


class ReductionB(Branches):
    """Figure 8: (N, 1024, H, W) -> (N, 1536, H', W')."""

    def __init__(self) -> None:
        super().__init__(
            conv3x3=nn.Sequential(ConvBN(1024, 192, 1), ConvBN(192, 192, 3, stride=2, valid=True)),
            conv7x7=nn.Sequential(
                ConvBN(1024, 256, 1),
                ConvBN(256, 256, (1, 7)),
                ConvBN(256, 320, (7, 1)),
                ConvBN(320, 320, 3, stride=2, valid=True),
            ),
            pool=nn.MaxPool2d(3, stride=2),
        )


class InceptionC(Branches):
    """Figure 6: (N, 1536, H, W) -> the same."""

    def __init__(self) -> None:
        super().__init__(
            conv1x1=ConvBN(1536, 256, 1),
            conv3x3=nn.Sequential(ConvBN(1536, 384, 1), Split3x3(384, 256)),
            double3x3=nn.Sequential(
                ConvBN(1536, 384, 1),
                ConvBN(384, 448, (3, 1)),
                ConvBN(448, 512, (1, 3)),
                Split3x3(512, 256),
            ),
            pool=PoolProjection(1536, 256, count_padding=False),
        )


class InceptionV4(nn.Sequential):
    """Inception-v4, Figure 9: (N, 3, 299, 299) -> (N, num_classes). Dropout keeps 0.8."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = Stem()  # (N, 384, 35, 35)
        self.inception_a = nn.Sequential(*(InceptionA() for _ in range(4)))
        self.reduction_a = ReductionA(384, k=192, l=224, m=256, n=384)  # (N, 1024, 17, 17)
        self.inception_b = nn.Sequential(*(InceptionB() for _ in range(7)))
        self.reduction_b = ReductionB()  # (N, 1536, 8, 8)
        self.inception_c = nn.Sequential(*(InceptionC() for _ in range(3)))
        self.classifier = Classifier(1536, num_classes, dropout)
        initialise(self)
