"""What torch makes tensors with, which a network's code may set for the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Defaults:
    """The dtype and device of new tensors, and whether gradients are kept."""

    dtype: torch.dtype
    device: torch.device
    gradients: bool

    @staticmethod
    def now() -> Defaults:
        """Those of the process."""
        import torch

        device = torch.get_default_device()
        return Defaults(torch.get_default_dtype(), device, torch.is_grad_enabled())

    def set(self) -> None:
        """Let the process have these."""
        import torch

        now = Defaults.now()
        torch.set_default_dtype(self.dtype)
        torch.set_grad_enabled(self.gradients)
        if now.device != self.device:
            # Torch's own is none, and a CPU that is set slows every constructor down.
            torch.set_default_device(None if self.device.type == "cpu" else self.device)


@contextmanager
def defaults_kept() -> Iterator[None]:
    """What is set inside is set back."""
    before = Defaults.now()
    try:
        yield
    finally:
        if Defaults.now() != before:
            before.set()
