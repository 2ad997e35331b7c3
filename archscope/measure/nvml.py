"""A GPU in NVIDIA's management library (package nvidia-ml-py), found by the UUID that CUDA tells.

Its number would not do: CUDA_VISIBLE_DEVICES hides and reorders GPUs for CUDA alone. Names and
units as of nvidia-ml-py 13.615.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a MIG instance, which is a part of one. ``board`` is the GPU in either case."""

    library: Any
    handle: Any
    board: Any
    divided: bool  # into MIG instances

    def ask(self, question: str, *arguments: Any) -> Any:
        """The answer of a function of the library; None where the GPU or the driver has none."""
        asked = getattr(self.library, question, None)
        if asked is None:
            return None
        try:
            return asked(*arguments)
        except _refusals(self.library):
            return None


def open_gpu(uuid: str, library: Any = None) -> Gpu:
    """The GPU or MIG instance of that UUID, written without a prefix as torch has it.

    Raises:
        ImportError: the package is not installed.
        Exception: an ``NVMLError``: no driver, or no such GPU.
    """
    nvml = library if library is not None else importlib.import_module("pynvml")
    nvml.nvmlInit()
    try:
        gpu = Gpu(nvml, board := nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"), board, False)
    except nvml.NVMLError:
        instance = nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")
        board = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(instance)
        return Gpu(nvml, instance, board, True)
    now, _ = gpu.ask("nvmlDeviceGetMigMode", board) or (0, 0)
    return Gpu(nvml, board, board, bool(now))


def _refusals(nvml: Any) -> tuple[type[BaseException], ...]:
    mismatch = getattr(nvml, "NVMLLibraryMismatchError", None)
    return (nvml.NVMLError,) if mismatch is None else (nvml.NVMLError, mismatch)
