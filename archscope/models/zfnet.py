"""ZFNet: Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.

Figure 3: AlexNet in one column, with 7x7 kernels at stride 2 in layer 1 and stride 2 in layer 2,
which the paper's visualisations asked for.

The figure gives map sizes and no paddings; one pixel around conv1, pool1 and pool2 and none around
conv2 reproduces its sizes 110, 55, 26, 13, 6. "Contrast normalised across feature maps" comes
without parameters: ours are PyTorch's defaults over 5 maps. Section 3.1 initialises "all weights
to 1e-2", which we read as a normal distribution of that width, as AlexNet's.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

ARCHITECTURES = {
    "zfnet": {
        "family": "zfnet",
        "year": 2013,
        "paper": "Zeiler and Fergus, arXiv:1311.2901",
        "input": [3, 224, 224],
        "build": "ZFNet",
        "summary": "AlexNet with smaller first kernels and strides",
    },
}


class ZFNet(nn.Sequential):
    """Figure 3. (N, 3, 224, 224) -> (N, num_classes)"""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5):
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 7, stride=2, padding=1),  # (N, 96, 110, 110)
                relu1=nn.ReLU(inplace=True),
                pool1=nn.MaxPool2d(3, stride=2, padding=1),  # (N, 96, 55, 55)
                norm1=nn.LocalResponseNorm(5),
                conv2=nn.Conv2d(96, 256, 5, stride=2),  # (N, 256, 26, 26)
                relu2=nn.ReLU(inplace=True),
                pool2=nn.MaxPool2d(3, stride=2, padding=1),  # (N, 256, 13, 13)
                norm2=nn.LocalResponseNorm(5),
                conv3=nn.Conv2d(256, 384, 3, padding=1),  # (N, 384, 13, 13)
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(384, 384, 3, padding=1),  # (N, 384, 13, 13)
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(384, 256, 3, padding=1),  # (N, 256, 13, 13)
                relu5=nn.ReLU(inplace=True),
                pool5=nn.MaxPool2d(3, stride=2),  # (N, 256, 6, 6)
                flatten=nn.Flatten(),
                fc6=nn.Linear(256 * 6 * 6, 4096),
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
        """Section 3.1: weights of 1e-2, biases zero."""
        for layer in self.children():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
