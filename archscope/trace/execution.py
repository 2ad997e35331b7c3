"""How a step is run, where torch leaves a choice that changes what it costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from archscope.arguments import mapping, text
from archscope.errors import InvalidInput, UnknownName

DEVICES = ("cuda", "cpu")
ATTENTION = ("fused", "math")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")
DTYPES = {
    "fp32": "float32",
    "float32": "float32",
    "fp64": "float64",
    "float64": "float64",
    "bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "fp16": "float16",
    "float16": "float16",
}
_AMP = ("bfloat16", "float16")


@dataclass(frozen=True)
class Execution:
    """The choices of a run; the defaults are eager torch on a GPU, in the model's own precision.

    ``device`` is whose kernels are followed: on CUDA dropout keeps a mask of one byte an element
    and the optimizer steps through all parameters at once, on the CPU the mask is of the input's
    dtype and the optimizer takes a parameter after the other.
    """

    device: str = "cuda"
    dtype: str | None = None  # weights, buffers and inputs; their own by default
    amp: str | None = None  # autocast to this dtype
    attention: str = "fused"  # "math" stores the scores
    optimizer: str | None = None
    accumulate: bool = False  # gradients of earlier micro-batches are there already

    def __post_init__(self) -> None:
        """Check every choice.

        Raises:
            InvalidInput: a choice that there is not, or an optimizer's step outside of training.
        """
        _one_of("device", self.device, DEVICES)
        _one_of("attention", self.attention, ATTENTION)
        if self.optimizer is not None:
            _one_of("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("dtype", "amp"):
            value = getattr(self, name)
            if value is not None:
                _one_of(name, value, tuple(DTYPES))
                object.__setattr__(self, name, DTYPES[value])
        if self.amp is not None:
            _one_of("amp", self.amp, _AMP)

    @property
    def choices(self) -> dict[str, Any]:
        """What differs from the defaults, and always the device and the attention kernel."""
        default = asdict(Execution())
        kept = ("device", "attention")
        return {k: v for k, v in asdict(self).items() if k in kept or v != default[k]}

    @property
    def torch_dtype(self) -> torch.dtype | None:
        """The dtype of weights, buffers and inputs, where one is asked for."""
        return None if self.dtype is None else getattr(torch, self.dtype)

    def check_mode(self, mode: str | None) -> None:
        """Raise ``InvalidInput`` where a choice needs training and the mode is another."""
        if mode == "training":
            return
        if self.optimizer is not None:
            raise InvalidInput(f"optimizer '{self.optimizer}' steps in training mode only")
        if self.accumulate:
            raise InvalidInput("gradients accumulate in training mode only")


def choices(what: str, value: Any) -> None:
    """Refuse what is no dictionary of the choices of ``Execution``."""
    mapping(what, value)
    known = [choice.name for choice in fields(Execution)]
    for name in value:
        if name not in known:
            raise UnknownName(f"choice of {what}", name, known)


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    text(what, value)
    if value not in known:
        raise InvalidInput(f"{what} '{value}' is not known; it is one of {', '.join(known)}")
