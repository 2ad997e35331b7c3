"""Inception-v3: larger filters factorised into smaller and into asymmetric ones.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2015, "Rethinking the Inception Architecture for
Computer Vision" (1512.00567): section 6 and Table 1 give the network, Figures 5 to 7 its modules,
Figure 10 how the grid shrinks, section 4 and Figure 8 the auxiliary head.

Paper and released code (TF-slim, and torchvision after it) differ, and the published accuracies
are the code's, so we follow the code:

* Table 1 is the paper's Inception-v2. Its stem has a 3x3 convolution to 80 channels, a strided one
  to 192 and a third to 288; the code has 1x1 to 80, 3x3 to 192 and a max pooling.
* It prints 3, 5 and 2 modules on the three grids; the code has 3, 4 and 2, and a module that
  shrinks the grid before the 4 and before the 2.
* "4.8 billion" operations are fewer than the code's 5.71 G multiply-accumulates, and "42 layers
  deep" fewer than the 48 convolutions and linear layers on its longest path.

The paper does not say how weights start, nor whether there is dropout: the code has He's normal,
0.01 and 0.001 truncated normals in the auxiliary head, and dropout 0.2 (torchvision 0.5). The
average pooling inside modules counts the zeros of its padding, as in torchvision; TensorFlow's
leaves them out.
"""

from __future__ import annotations

from torch import Tensor, nn

from archscope.models.inception import Branches, Classifier, ConvBN, initialise

ARCHITECTURES = {
    "inception-v3": {
        "family": "inception",
        "year": 2015,
        "paper": "Szegedy et al. 2015, 1512.00567",
        "input": [3, 299, 299],
        "build": "InceptionV3",
        "training_options": {"aux": True},
        "options": {},
        "summary": "factorised 7x7 and 3x3 convolutions; aux=True adds the auxiliary head",
    },
}


def stem() -> list[nn.Module]:
    """The first five convolutions: (N, 3, 299, 299) -> (N, 192, 71, 71)."""
    return [
        ConvBN(3, 32, 3, stride=2, valid=True),  # (N, 32, 149, 149)
        ConvBN(32, 32, 3, valid=True),  # (N, 32, 147, 147)
        ConvBN(32, 64, 3),  # (N, 64, 147, 147)
        nn.MaxPool2d(3, stride=2),  # (N, 64, 73, 73)
        ConvBN(64, 80, 1),  # (N, 80, 73, 73)
        ConvBN(80, 192, 3, valid=True),  # (N, 192, 71, 71)
    ]


class PoolProjection(nn.Sequential):
    """Average pooling on a constant grid, then 1x1: (N, C_in, H, W) -> (N, C_out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, count_padding: bool = True) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=count_padding)
        self.conv = ConvBN(in_channels, out_channels, 1)


class InceptionA(Branches):
    """Figure 5, on 35x35: (N, C, H, W) -> (N, 224 + pool_proj, H, W).

    The figure factorises the 5x5 into two 3x3; the code does so in one branch and keeps a 5x5.
    """

    def __init__(self, channels: int, pool_proj: int) -> None:
        super().__init__(
            conv1x1=ConvBN(channels, 64, 1),
            conv5x5=nn.Sequential(ConvBN(channels, 48, 1), ConvBN(48, 64, 5)),
            double3x3=nn.Sequential(ConvBN(channels, 64, 1), ConvBN(64, 96, 3), ConvBN(96, 96, 3)),
            pool=PoolProjection(channels, pool_proj),
        )


class ReductionA(Branches):
    """Figure 10, 35x35 to 17x17: (N, C, H, W) -> (N, 480 + C, H', W')."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            conv3x3=ConvBN(channels, 384, 3, stride=2, valid=True),
            double3x3=nn.Sequential(
                ConvBN(channels, 64, 1),
                ConvBN(64, 96, 3),
                ConvBN(96, 96, 3, stride=2, valid=True),
            ),
            pool=nn.MaxPool2d(3, stride=2),
        )


class InceptionB(Branches):
    """Figure 6 with n = 7, on 17x17: 7x7 becomes 1x7 and 7x1. (N, 768, H, W) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__(
            conv1x1=ConvBN(768, 192, 1),
            conv7x7=nn.Sequential(
                ConvBN(768, width, 1), ConvBN(width, width, (1, 7)), ConvBN(width, 192, (7, 1))
            ),
            double7x7=nn.Sequential(
                ConvBN(768, width, 1),
                ConvBN(width, width, (7, 1)),
                ConvBN(width, width, (1, 7)),
                ConvBN(width, width, (7, 1)),
                ConvBN(width, 192, (1, 7)),
            ),
            pool=PoolProjection(768, 192),
        )


class ReductionB(Branches):
    """17x17 to 8x8: (N, 768, H, W) -> (N, 1280, H', W')."""

    def __init__(self) -> None:
        super().__init__(
            conv3x3=nn.Sequential(ConvBN(768, 192, 1), ConvBN(192, 320, 3, stride=2, valid=True)),
            conv7x7=nn.Sequential(
                ConvBN(768, 192, 1),
                ConvBN(192, 192, (1, 7)),
                ConvBN(192, 192, (7, 1)),
                ConvBN(192, 192, 3, stride=2, valid=True),
            ),
            pool=nn.MaxPool2d(3, stride=2),
        )


class Split3x3(Branches):
    """1x3 and 3x1 side by side, the fork that ends a branch of Figure 7."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            conv1x3=ConvBN(in_channels, out_channels, (1, 3)),
            conv3x1=ConvBN(in_channels, out_channels, (3, 1)),
        )


class InceptionC(Branches):
    """Figure 7, on 8x8, wide rather than deep: (N, C, H, W) -> (N, 2048, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            conv1x1=ConvBN(channels, 320, 1),
            conv3x3=nn.Sequential(ConvBN(channels, 384, 1), Split3x3(384, 384)),
            double3x3=nn.Sequential(
                ConvBN(channels, 448, 1), ConvBN(448, 384, 3), Split3x3(384, 384)
            ),
            pool=PoolProjection(channels, 192),
        )


class AuxiliaryHead(nn.Sequential):
    """Figure 8, the batch-normalised side classifier: (N, 768, 17, 17) -> (N, num_classes)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(5, stride=3)  # (N, 768, 5, 5)
        self.conv1x1 = ConvBN(768, 128, 1)
        self.conv5x5 = ConvBN(128, 768, 5, valid=True)  # (N, 768, 1, 1)
        self.classifier = Classifier(768, num_classes, dropout=0.0)

    def initialise(self) -> None:
        """Start small, as the released code does."""
        for weight, std in (
            (self.conv5x5.conv.weight, 0.01),
            (self.classifier.fc.weight, 0.001),
        ):
            nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


class InceptionV3(nn.Module):
    """Inception-v3: (N, 3, 299, 299) -> (N, num_classes).

    With ``aux``, the forward in training mode returns (logits, auxiliary logits), each
    (N, num_classes); the auxiliary loss weighs 0.4 in the released code.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.2, aux: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem(), nn.MaxPool2d(3, stride=2))  # (N, 192, 35, 35)
        self.inception_a = nn.Sequential(
            InceptionA(192, 32),  # (N, 256, 35, 35)
            InceptionA(256, 64),  # (N, 288, 35, 35)
            InceptionA(288, 64),
        )
        self.reduction_a = ReductionA(288)  # (N, 768, 17, 17)
        self.inception_b = nn.Sequential(*(InceptionB(width) for width in (128, 160, 160, 192)))
        self.auxiliary = AuxiliaryHead(num_classes) if aux else None
        self.reduction_b = ReductionB()  # (N, 1280, 8, 8)
        self.inception_c = nn.Sequential(InceptionC(1280), InceptionC(2048))  # (N, 2048, 8, 8)
        self.classifier = Classifier(2048, num_classes, dropout)
        initialise(self)
        if self.auxiliary is not None:
            self.auxiliary.initialise()

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.stem(x)
        x = self.inception_a(x)
        x = self.reduction_a(x)
        x = self.inception_b(x)
        side = self.auxiliary(x) if self.auxiliary is not None and self.training else None
        x = self.reduction_b(x)
        x = self.inception_c(x)
        x = self.classifier(x)
        return x if side is None else (x, side)
