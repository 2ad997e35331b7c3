"""From a reference, such as "vgg16" or "timm:resnet50", to a subject: a model and its inputs.

========================  =======================================================================
``vgg16``                 a name of the zoo
``torchvision:resnet50``  a builder of torchvision: classification, segmentation, detection, video
``timm:vit_tiny_...``     an architecture of timm
``hf:config.json``        a transformers configuration: a file, its directory, or a type (hf:llama)
``net.py:Net``            a class or function of a Python file, which is run
``package.module:Net``    a class or function of an importable module
``model.pt2``             a program saved by ``torch.export.save``
========================  =======================================================================
"""

from archscope.arguments import positive as check_positive
from archscope.sources.grammar import expand, names, resolve
from archscope.sources.subject import Subject

__all__ = ["Subject", "check_positive", "expand", "names", "resolve"]
