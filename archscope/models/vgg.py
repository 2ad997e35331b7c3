"""VGG: Simonyan, Zisserman, "Very Deep Convolutional Networks", ICLR 2015, arXiv:1409.1556.

Table 1: five blocks of 3x3 convolutions, each followed by 2x2 max pooling, then three fully
connected layers. The configurations differ only in how many convolutions a block has; C makes the
third one of its last three blocks 1x1, and A-LRN normalises the first one's output as AlexNet does.

Section 3.1 trains A from N(0, "10^-2 variance"), where 0.01 must be the deviation (a variance of
0.01 makes activations explode), and starts the deeper ones from A. Its footnote adds that the
initialisation of Glorot and Bengio (2010) makes this pre-training unnecessary: ours is that one.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from archscope.errors import UnknownName

ARCHITECTURES = {
    "vgg11": {
        "family": "vgg",
        "year": 2014,
        "paper": "Simonyan and Zisserman, arXiv:1409.1556",
        "input": [3, 224, 224],
        "build": "VGG",
        "options": {"configuration": "A"},
        "summary": "configuration A: 8 convolutions, 3 fully connected",
    },
    "vgg11-lrn": {
        "family": "vgg",
        "year": 2014,
        "paper": "Simonyan and Zisserman, arXiv:1409.1556",
        "input": [3, 224, 224],
        "build": "VGG",
        "options": {"configuration": "A-LRN"},
        "summary": "configuration A with local response normalisation",
    },
    "vgg13": {
        "family": "vgg",
        "year": 2014,
        "paper": "Simonyan and Zisserman, arXiv:1409.1556",
        "input": [3, 224, 224],
        "build": "VGG",
        "options": {"configuration": "B"},
        "summary": "configuration B: 10 convolutions, 3 fully connected",
    },
    "vgg16-c": {
        "family": "vgg",
        "year": 2014,
        "paper": "Simonyan and Zisserman, arXiv:1409.1556",
        "input": [3, 224, 224],
        "build": "VGG",
        "options": {"configuration": "C"},
        "summary": "configuration C: B with three 1x1 convolutions",
    },
    "vgg16": {
        "family": "vgg",
        "year": 2014,
        "paper": "Simonyan and Zisserman, arXiv:1409.1556",
        "input": [3, 224, 224],
        "build": "VGG",
        "options": {"configuration": "D"},
        "summary": "configuration D: 13 convolutions, 3 fully connected",
    },
    "vgg19": {
        "family": "vgg",
        "year": 2014,
        "paper": "Simonyan and Zisserman, arXiv:1409.1556",
        "input": [3, 224, 224],
        "build": "VGG",
        "options": {"configuration": "E"},
        "summary": "configuration E: 16 convolutions, 3 fully connected",
    },
}

WIDTHS = (64, 128, 256, 512, 512)

# Table 1, a row per configuration: the kernel sizes of each block's convolutions
CONFIGURATIONS = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}


class Block(nn.Sequential):
    """Convolutions that keep the size, then pooling. (N, C, H, W) -> (N, channels, H/2, W/2)"""

    def __init__(self, in_channels: int, channels: int, kernels: tuple[int, ...], lrn: bool):
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, kernel in enumerate(kernels, start=1):
            layers[f"conv{i}"] = nn.Conv2d(in_channels, channels, kernel, padding=kernel // 2)
            layers[f"relu{i}"] = nn.ReLU(inplace=True)
            in_channels = channels
        if lrn:
            # alpha is the paper's times n, because PyTorch divides it by n
            layers["lrn"] = nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)
        layers["pool"] = nn.MaxPool2d(2)
        super().__init__(layers)


class VGG(nn.Sequential):
    """A configuration of Table 1: A, A-LRN, B, C, D or E. (N, 3, 224, 224) -> (N, num_classes)"""

    def __init__(
        self, configuration: str = "D", num_classes: int = 1000, dropout: float = 0.5
    ) -> None:
        if configuration not in CONFIGURATIONS:
            raise UnknownName("configuration", configuration, CONFIGURATIONS)
        block1, block2, block3, block4, block5 = (
            Block(in_channels, channels, kernels, lrn=configuration == "A-LRN" and channels == 64)
            for (in_channels, channels), kernels in zip(
                pairwise((3, *WIDTHS)), CONFIGURATIONS[configuration], strict=True
            )
        )
        super().__init__(
            OrderedDict(
                block1=block1,  # (N, 64, 112, 112)
                block2=block2,  # (N, 128, 56, 56)
                block3=block3,  # (N, 256, 28, 28)
                block4=block4,  # (N, 512, 14, 14)
                block5=block5,  # (N, 512, 7, 7)
                flatten=nn.Flatten(),
                fc6=nn.Linear(512 * 7 * 7, 4096),
                relu6=nn.ReLU(inplace=True),
                dropout6=nn.Dropout(dropout),  # out of place: the ReLU's backward needs its output
                fc7=nn.Linear(4096, 4096),
                relu7=nn.ReLU(inplace=True),
                dropout7=nn.Dropout(dropout),
                fc8=nn.Linear(4096, num_classes),
            )
        )
        self.initialise()

    def initialise(self) -> None:
        """Section 3.1, footnote: Glorot and Bengio's uniform distribution; biases zero."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
