"""Build a module without memory for its weights, whatever its constructor does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import nn

from archscope.errors import ArchscopeError
from archscope.trace.building import on_meta

Built = TypeVar("Built")


def built(construct: Callable[[], Built], *, real: bool = False) -> tuple[Built, tuple[str, ...]]:
    """What a constructor makes, on the meta device if it can, and a warning if it cannot.

    ``real`` wants no meta device.

    A constructor that computes sizes with tensors and reads their values (torchvision's RegNet)
    gets real ones and only its parameters go to the meta device. One that reads its parameters
    is given real ones.

    Raises:
        Exception: what the constructor raised when everything it made was real.
    """
    if real:
        return construct(), ()
    ways: list[tuple[Callable[[], Any], tuple[str, ...]]] = [
        (on_meta, ()),
        (parameters_on_meta, ("built on the CPU, since its constructor reads values",)),
        (nullcontext, ("built with real weights, since its constructor reads them",)),
    ]
    for way, warnings in ways[:-1]:
        try:
            with way():
                return construct(), warnings
        except (TypeError, ArchscopeError, ImportError):  # a mistake in the call, not in the way
            raise
        except Exception:
            continue
    return construct(), ways[-1][1]


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Modules made inside keep no data in their parameters; all other tensors are real."""
    original = nn.Module.register_parameter

    def register(module: nn.Module, name: str, param: nn.Parameter | None) -> None:
        if param is not None and not nn.parameter.is_lazy(param) and not param.is_meta:
            param = nn.Parameter(
                torch.empty_like(param, device="meta"), requires_grad=param.requires_grad
            )
        original(module, name, param)

    nn.Module.register_parameter = register  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = original  # type: ignore[method-assign]
