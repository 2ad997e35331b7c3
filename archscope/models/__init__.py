"""The zoo: one file per family, each architecture written out as its paper has it.

A family's file declares its names in ``ARCHITECTURES``, a literal dictionary, and the builders
beside it. The catalogue reads those literals without running the file, so that listing the zoo
does not import torch.
"""

from archscope.models.catalog import Architecture, architectures, build, find

__all__ = ["Architecture", "architectures", "build", "find"]
