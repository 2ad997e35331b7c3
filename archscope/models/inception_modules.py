"""The two Inception modules of a lecture: Szegedy et al., arXiv:1409.4842, figures 2(a) and 2(b).

On a 28x28x256 input: 128 1x1, 192 3x3 and 96 5x5 kernels beside max pooling. Naively this takes
854,196,224 multiply-accumulates and puts out 672 maps; with 64 1x1 kernels in front of the 3x3 and
5x5 ones and behind the pooling it takes 271,351,808 and puts out 480.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archscope.models.googlenet import Inception, conv_relu

ARCHITECTURES = {
    "inception-naive": {
        "family": "inception",
        "year": 2014,
        "paper": "Szegedy et al., arXiv:1409.4842",
        "input": [256, 28, 28],
        "build": "InceptionNaive",
        "summary": "one module without dimension reduction (figure 2a)",
    },
    "inception-bottleneck": {
        "family": "inception",
        "year": 2014,
        "paper": "Szegedy et al., arXiv:1409.4842",
        "input": [256, 28, 28],
        "build": "InceptionBottleneck",
        "summary": "one module with dimension reduction (figure 2b)",
    },
}


class InceptionNaive(nn.Module):
    """Figure 2(a). (N, 256, H, W) -> (N, 128 + 192 + 96 + 256, H, W)"""

    def __init__(self, n1x1: int = 128, n3x3: int = 192, n5x5: int = 96):
        super().__init__()
        self.conv1x1 = conv_relu(256, n1x1, 1)
        self.conv3x3 = conv_relu(256, n3x3, 3)
        self.conv5x5 = conv_relu(256, n5x5, 5)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.conv1x1(x), self.conv3x3(x), self.conv5x5(x), self.pool(x)]
        return torch.cat(branches, dim=1)


class InceptionBottleneck(Inception):
    """Figure 2(b), every reduction with F = ``reduce``. (N, 256, H, W) -> (N, 416 + F, H, W)"""

    def __init__(self, n1x1: int = 128, n3x3: int = 192, n5x5: int = 96, reduce: int = 64):
        super().__init__(256, n1x1, reduce, n3x3, reduce, n5x5, reduce)
