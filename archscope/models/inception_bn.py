"""BN-Inception: the network that introduced batch normalisation.

Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift" (1502.03167), section 4.2 and the appendix's table. It is GoogLeNet with
batch normalisation, each 5x5 convolution replaced by two of 3x3, average pooling inside most
modules, two more modules, and modules 3c and 4e that halve the grid themselves. Dropout and local
response normalisation go (section 4.2.1). Inception-v2 is another name for it, which the
Inception-v3 paper uses for something else.

We follow the Caffe model that everyone converts from, at these places against the paper:

* its first layer is a full 7x7 convolution; the paper's is separable, with depth multiplier 8, and
  so is TF-slim's;
* the pooling branches of 4c and 4d have 128 channels, so that these modules return 608; TF-slim,
  which follows the paper's table, has 96 and 576;
* convolutions keep their biases, though the normalisation behind them cancels them.

The auxiliary heads, used only in training, are left out as in that model. The paper does not say
how weights start. Max pooling rounds up, as in Caffe: sides must be multiples of 32.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from archscope.models import inception
from archscope.models.inception import Branches, Classifier, initialise

ARCHITECTURES = {
    "inception-bn": {
        "family": "inception",
        "year": 2015,
        "paper": "Ioffe and Szegedy 2015, 1502.03167",
        "input": [3, 224, 224],
        "build": "InceptionBN",
        "options": {},
        "summary": "GoogLeNet with batch normalisation and double 3x3 convolutions",
    },
}

ConvBN = partial(inception.ConvBN, bias=True, eps=1e-5)


def max_pool() -> nn.MaxPool2d:
    """Halve the grid, rounding up."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class Inception(Branches):
    """Four branches on a constant grid; arguments are a row of the appendix's table.

    (N, C, H, W) -> (N, n1x1 + n3x3 + double_3x3 + pool_proj, H, W).
    """

    def __init__(
        self,
        channels: int,
        n1x1: int,
        reduce_3x3: int,
        n3x3: int,
        reduce_double_3x3: int,
        double_3x3: int,
        pool: nn.Module,
        pool_proj: int,
    ) -> None:
        super().__init__(
            conv1x1=ConvBN(channels, n1x1, 1),
            conv3x3=nn.Sequential(ConvBN(channels, reduce_3x3, 1), ConvBN(reduce_3x3, n3x3, 3)),
            double3x3=nn.Sequential(
                ConvBN(channels, reduce_double_3x3, 1),
                ConvBN(reduce_double_3x3, double_3x3, 3),
                ConvBN(double_3x3, double_3x3, 3),
            ),
            pool=nn.Sequential(pool, ConvBN(channels, pool_proj, 1)),
        )


class InceptionStride2(Branches):
    """3c and 4e: no 1x1 branch, and the pooled input passes through unprojected.

    (N, C, H, W) -> (N, n3x3 + double_3x3 + C, H/2, W/2).
    """

    def __init__(
        self,
        channels: int,
        reduce_3x3: int,
        n3x3: int,
        reduce_double_3x3: int,
        double_3x3: int,
    ) -> None:
        super().__init__(
            conv3x3=nn.Sequential(
                ConvBN(channels, reduce_3x3, 1), ConvBN(reduce_3x3, n3x3, 3, stride=2)
            ),
            double3x3=nn.Sequential(
                ConvBN(channels, reduce_double_3x3, 1),
                ConvBN(reduce_double_3x3, double_3x3, 3),
                ConvBN(double_3x3, double_3x3, 3, stride=2),
            ),
            pool=max_pool(),
        )


class InceptionBN(nn.Sequential):
    """BN-Inception: (N, 3, 224, 224) -> (N, num_classes)."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        average = partial(nn.AvgPool2d, 3, stride=1, padding=1)
        maximum = partial(nn.MaxPool2d, 3, stride=1, padding=1)
        self.conv1 = ConvBN(3, 64, 7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = max_pool()  # (N, 64, 56, 56)
        self.conv2_reduce = ConvBN(64, 64, 1)
        self.conv2 = ConvBN(64, 192, 3)  # (N, 192, 56, 56)
        self.pool2 = max_pool()  # (N, 192, 28, 28)
        self.inception3a = Inception(192, 64, 64, 64, 64, 96, average(), 32)  # (N, 256, 28, 28)
        self.inception3b = Inception(256, 64, 64, 96, 64, 96, average(), 64)  # (N, 320, 28, 28)
        self.inception3c = InceptionStride2(320, 128, 160, 64, 96)  # (N, 576, 14, 14)
        self.inception4a = Inception(576, 224, 64, 96, 96, 128, average(), 128)
        self.inception4b = Inception(576, 192, 96, 128, 96, 128, average(), 128)
        self.inception4c = Inception(576, 160, 128, 160, 128, 160, average(), 128)
        self.inception4d = Inception(608, 96, 128, 192, 160, 192, average(), 128)
        self.inception4e = InceptionStride2(608, 128, 192, 192, 256)  # (N, 1056, 7, 7)
        self.inception5a = Inception(1056, 352, 192, 320, 160, 224, average(), 128)
        self.inception5b = Inception(1024, 352, 192, 320, 192, 224, maximum(), 128)
        self.classifier = Classifier(1024, num_classes, dropout=0.0)
        initialise(self)
