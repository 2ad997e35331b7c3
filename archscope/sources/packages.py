"""Optional packages: imported when they are asked for, and named when they are missing."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from archscope.errors import ArchscopeError


def optional(package: str) -> ModuleType:
    """Import a package that archscope does not require.

    Raises:
        ArchscopeError: it is not installed; the message says what to install.
    """
    if find_spec(package) is None:
        raise ArchscopeError(f"{package} is not installed: pip install {package}")
    if find_spec("torchvision") is not None:  # timm and transformers import it too
        _declare_torchvision_operators()
    try:
        return importlib.import_module(package)
    except Exception as error:
        raise ArchscopeError(
            f"{package} cannot be imported: {type(error).__name__}: {error}"
        ) from error


_declared: list[object] = []  # a library's definitions live as long as it does


def _declare_torchvision_operators() -> None:
    """Let torchvision be imported beside a torch that its operators were not compiled for.

    The registry's wheel is compiled for CUDA. Beside a CPU-only torch its operators do not load,
    and its import fails, for it describes two of them to torch's compiler; the names are enough.
    """
    import torch

    if hasattr(torch.ops.torchvision, "nms"):
        return
    spec = find_spec("torchvision")
    assert spec is not None and spec.origin is not None
    try:
        torch.ops.load_library(Path(spec.origin).with_name("_C.so"))
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
