"""Weights from a file, without running code that the file may bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.errors import InvalidInput
from archscope.sources.packages import optional

if TYPE_CHECKING:
    from torch import Tensor, nn


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or of a checkpoint saved by ``torch.save``, by name.

    Raises:
        InvalidInput: there is no such file, or it pickles anything but tensors, which may be code.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            optional("safetensors")
            from safetensors.torch import load_file

            return load_file(path)
        return _state_of(torch.load(path, map_location="cpu", weights_only=True))
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(
            f"{path} is refused: it is no file of tensors alone, and unpickling anything else may "
            "run code; save the weights with safetensors or torch.save(model.state_dict(), ...)"
        ) from error


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Give a model, also one on the meta device, the weights of a file; returns the model.

    Raises:
        InvalidInput: a file that is refused, or whose names or shapes are not the model's.
    """
    try:
        model.load_state_dict(read_weights(path), assign=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise InvalidInput(f"{path} does not fit the model: {' '.join(lines[1:3])}") from error
    return model


def _state_of(loaded: Any) -> dict[str, Tensor]:
    """The state dictionary of a checkpoint, which may lie under the names that trainers use."""
    for key in ("state_dict", "model", "module"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise TypeError(f"a {type(loaded).__name__}")
    return loaded
