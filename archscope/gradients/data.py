"""Samples from a file that can hold nothing but arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from archscope.errors import InvalidInput

_SUFFIXES = (".npy", ".npz", ".pt")


def read_data(path: str | Path) -> tuple[Tensor, Tensor | None]:
    """Samples, batch first, and their targets if the file has any.

    Args:
        path: an array in .npy; in .npz or .pt (saved by ``torch.save``) an array, or a dictionary
            or tuple of two: samples first, then targets.

    Raises:
        InvalidInput: there is no such file, or it holds something else.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        raise InvalidInput(f"samples are in a file that ends in {', '.join(_SUFFIXES)}, not {path}")
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    try:
        arrays = _arrays(path)
    except Exception as error:
        raise InvalidInput(f"{path} is refused: it is no file of arrays alone") from error
    if not 1 <= len(arrays) <= 2:
        raise InvalidInput(f"{path} holds {len(arrays)} arrays; samples and targets are wanted")
    samples, *targets = (torch.as_tensor(array) for array in arrays)
    if samples.dtype == torch.float64:
        samples = samples.float()
    return samples, targets[0] if targets else None


def _arrays(path: Path) -> list[Tensor | np.ndarray]:
    if path.suffix == ".pt":
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    else:
        loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, Tensor | np.ndarray):
        return [loaded]
    return list(loaded.values() if hasattr(loaded, "values") else loaded)
