"""Network in Network: Lin, Chen, Yan, "Network In Network", ICLR 2014.

Section 3.1's mlpconv layer slides a small multilayer perceptron over the input: a convolution
followed by two 1x1 convolutions. Section 3.2 replaces the fully connected classifier by global
average pooling over one map per class.

The paper's tables stop at CIFAR, SVHN and MNIST. ``nin`` is the first author's ImageNet network,
published as a Caffe definition (gist mavenlin/d802a5849de39225bcc6), whose pooling rounds sizes up.

``nin-bn`` is the BN-NIN of Canziani et al., arXiv:1605.07678: Torch's imagenet-multiGPU ``ninbn``,
with batch normalisation after every convolution, padded pooling, no dropout, and a fully connected
classifier on the pooled maps. Its initialisation is Torch's default, which is still PyTorch's.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

ARCHITECTURES = {
    "nin": {
        "family": "nin",
        "year": 2014,
        "paper": "Lin et al., arXiv:1312.4400",
        "input": [3, 224, 224],
        "build": "NiN",
        "summary": "4 mlpconv layers and global average pooling",
    },
    "nin-bn": {
        "family": "nin",
        "year": 2016,
        "paper": "Canziani et al., arXiv:1605.07678",
        "input": [3, 224, 224],
        "build": "NiNBN",
        "summary": "NiN with batch normalisation and a linear classifier",
    },
}


class MLPConv(nn.Sequential):
    """A convolution and the two 1x1 convolutions of its perceptron, each with a ReLU."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        out_channels: int | None = None,
        batch_norm: bool = False,
    ):
        out_channels = out_channels or channels
        convolutions = {
            "conv": nn.Conv2d(in_channels, channels, kernel_size, stride, padding),
            "cccp1": nn.Conv2d(channels, channels, 1),  # cascaded cross channel parametric pooling
            "cccp2": nn.Conv2d(channels, out_channels, 1),
        }
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for name, convolution in convolutions.items():
            layers[name] = convolution
            if batch_norm:
                layers[f"{name}_bn"] = nn.BatchNorm2d(convolution.out_channels, eps=1e-3)
            layers[f"{name}_relu"] = nn.ReLU(inplace=True)
        super().__init__(layers)


class NiN(nn.Sequential):
    """The ImageNet network. (N, 3, H, W) -> (N, num_classes)"""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5):
        super().__init__(
            OrderedDict(
                mlpconv1=MLPConv(3, 96, 11, stride=4),  # (N, 96, 54, 54)
                pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 96, 27, 27)
                mlpconv2=MLPConv(96, 256, 5, padding=2),  # (N, 256, 27, 27)
                pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 256, 13, 13)
                mlpconv3=MLPConv(256, 384, 3, padding=1),  # (N, 384, 13, 13)
                pool3=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (N, 384, 6, 6)
                dropout=nn.Dropout(dropout, inplace=True),
                mlpconv4=MLPConv(384, 1024, 3, padding=1, out_channels=num_classes),
                pool4=nn.AdaptiveAvgPool2d(1),  # (N, num_classes, 1, 1)
                flatten=nn.Flatten(),
            )
        )
        self.initialise()

    def initialise(self) -> None:
        """The Caffe definition: normal with deviation 0.05, or 0.01 in three layers; biases 0."""
        narrow = ("mlpconv1.conv", "mlpconv3.conv", "mlpconv4.cccp2")
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01 if name in narrow else 0.05)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)


class NiNBN(nn.Sequential):
    """BN-NIN. (N, 3, H, W) -> (N, num_classes)"""

    def __init__(self, num_classes: int = 1000):
        super().__init__(
            OrderedDict(
                mlpconv1=MLPConv(3, 96, 11, stride=4, padding=5, batch_norm=True),
                pool1=nn.MaxPool2d(3, stride=2, padding=1),  # (N, 96, 28, 28)
                mlpconv2=MLPConv(96, 256, 5, padding=2, batch_norm=True),  # (N, 256, 28, 28)
                pool2=nn.MaxPool2d(3, stride=2, padding=1),  # (N, 256, 14, 14)
                mlpconv3=MLPConv(256, 384, 3, padding=1, batch_norm=True),  # (N, 384, 14, 14)
                pool3=nn.MaxPool2d(3, stride=2, padding=1),  # (N, 384, 7, 7)
                mlpconv4=MLPConv(384, 1024, 3, padding=1, batch_norm=True),  # (N, 1024, 7, 7)
                pool4=nn.AdaptiveAvgPool2d(1),  # (N, 1024, 1, 1)
                flatten=nn.Flatten(),
                fc=nn.Linear(1024, num_classes),
            )
        )
