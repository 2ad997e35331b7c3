"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep CNNs", NIPS 2012.

``alexnet`` is section 3 and figure 2: two GPUs hold half the kernels each and talk only at conv3
and in the fully connected layers, so conv2, conv4 and conv5 are convolutions in two groups.

- The paper says 224x224 input, from which an 11x11 kernel at stride 4 does not give its 55x55
  maps; 227 without padding does, and so do the released weights.
- Figure 2's first layer of 253,440 neurons is a slip: 55x55x96 = 290,400.
- Response normalisation (section 3.3) has k = 2, n = 5, alpha = 1e-4, beta = 0.75, and multiplies
  the sum over n channels by alpha. PyTorch (like Caffe) divides alpha by n first: hence 5 * 1e-4.

``alexnet-owt`` is the one-column network of Krizhevsky, "One weird trick for parallelizing
convolutional neural networks", arXiv:1404.5997, as everyone runs it (Torch, torchvision): without
the response normalisation that its author's configuration still had. The paper says nothing about
initialisation; the Torch code kept its framework's default, which is still PyTorch's.

``alexnet-bn`` adds batch normalisation to it, after every layer but the last (Torch's
imagenet-multiGPU, ``alexnetowtbn``; the BN-AlexNet of Canziani et al., arXiv:1605.07678). Its
convolutions keep their biases.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

ARCHITECTURES = {
    "alexnet": {
        "family": "alexnet",
        "year": 2012,
        "paper": "Krizhevsky et al., NIPS 2012",
        "input": [3, 227, 227],
        "build": "AlexNet",
        "summary": "8 layers, convolutions grouped over two GPUs",
    },
    "alexnet-owt": {
        "family": "alexnet",
        "year": 2014,
        "paper": "Krizhevsky, arXiv:1404.5997",
        "input": [3, 224, 224],
        "build": "AlexNetOWT",
        "summary": "one weird trick: one column, no groups, no LRN",
    },
    "alexnet-bn": {
        "family": "alexnet",
        "year": 2016,
        "paper": "Canziani et al., arXiv:1605.07678",
        "input": [3, 224, 224],
        "build": "AlexNetOWT",
        "options": {"batch_norm": True},
        "summary": "one weird trick with batch normalisation",
    },
}


class AlexNet(nn.Sequential):
    """The two-GPU network of 2012 on one device. (N, 3, 227, 227) -> (N, num_classes)"""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5):
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 11, stride=4),  # (N, 96, 55, 55)
                relu1=nn.ReLU(inplace=True),
                norm1=nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0),
                pool1=nn.MaxPool2d(3, stride=2),  # (N, 96, 27, 27)
                conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),  # (N, 256, 27, 27)
                relu2=nn.ReLU(inplace=True),
                norm2=nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0),
                pool2=nn.MaxPool2d(3, stride=2),  # (N, 256, 13, 13)
                conv3=nn.Conv2d(256, 384, 3, padding=1),  # (N, 384, 13, 13)
                relu3=nn.ReLU(inplace=True),
                conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),  # (N, 384, 13, 13)
                relu4=nn.ReLU(inplace=True),
                conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),  # (N, 256, 13, 13)
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
        """Section 5: N(0, 0.01^2); biases 1 where ReLUs need positive inputs early, else 0."""
        ones = ("conv2", "conv4", "conv5", "fc6", "fc7")
        for name, layer in self.named_children():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                assert layer.bias is not None
                nn.init.constant_(layer.bias, 1.0 if name in ones else 0.0)


class AlexNetOWT(nn.Sequential):
    """The one-column network, with or without batch norm. (N, 3, 224, 224) -> (N, num_classes)"""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, batch_norm: bool = False):
        layers: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, 64, 11, stride=4, padding=2),  # (N, 64, 55, 55)
            "bn1": nn.BatchNorm2d(64, eps=1e-3),
            "relu1": nn.ReLU(inplace=True),
            "pool1": nn.MaxPool2d(3, stride=2),  # (N, 64, 27, 27)
            "conv2": nn.Conv2d(64, 192, 5, padding=2),  # (N, 192, 27, 27)
            "bn2": nn.BatchNorm2d(192, eps=1e-3),
            "relu2": nn.ReLU(inplace=True),
            "pool2": nn.MaxPool2d(3, stride=2),  # (N, 192, 13, 13)
            "conv3": nn.Conv2d(192, 384, 3, padding=1),  # (N, 384, 13, 13)
            "bn3": nn.BatchNorm2d(384, eps=1e-3),
            "relu3": nn.ReLU(inplace=True),
            "conv4": nn.Conv2d(384, 256, 3, padding=1),  # (N, 256, 13, 13)
            "bn4": nn.BatchNorm2d(256, eps=1e-3),
            "relu4": nn.ReLU(inplace=True),
            "conv5": nn.Conv2d(256, 256, 3, padding=1),  # (N, 256, 13, 13)
            "bn5": nn.BatchNorm2d(256, eps=1e-3),
            "relu5": nn.ReLU(inplace=True),
            "pool5": nn.MaxPool2d(3, stride=2),  # (N, 256, 6, 6)
            "flatten": nn.Flatten(),
            "dropout5": nn.Dropout(dropout, inplace=True),
            "fc6": nn.Linear(256 * 6 * 6, 4096),
            "bn6": nn.BatchNorm1d(4096, eps=1e-3),
            "relu6": nn.ReLU(inplace=True),
            "dropout6": nn.Dropout(dropout),  # out of place: the ReLU's backward needs its output
            "fc7": nn.Linear(4096, 4096),
            "bn7": nn.BatchNorm1d(4096, eps=1e-3),
            "relu7": nn.ReLU(inplace=True),
            "fc8": nn.Linear(4096, num_classes),
        }
        super().__init__(
            OrderedDict(
                (name, layer)
                for name, layer in layers.items()
                if batch_norm or not name.startswith("bn")
            )
        )
