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

    A module that keeps whole numbers as buffers, such as strides, computes sizes from them in its
    forward: it is made on the CPU, and only its parameters on the meta device.

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
    said: tuple[type, str] | None = None
    for way, warnings in ways[:-1]:
        try:
            with way():
                made = construct()
            if not (way is on_meta and _keeps_whole_numbers(made)):
                return made, warnings
        except (TypeError, ArchscopeError, ImportError):  # a mistake in the call, not in the way
            raise
        except Exception as error:
            before, said = said, (type(error), str(error))
            if said == before and "meta" not in said[1].lower():
                raise  # nothing that real weights would change
    return construct(), ways[-1][1]


def _keeps_whole_numbers(made: Any) -> bool:
    """Whether a buffer is a number of the constructor's, which no checkpoint would bring."""
    return isinstance(made, nn.Module) and any(
        not (buffer.ndim or buffer.dtype.is_floating_point or buffer.dtype.is_complex)
        and name in module._non_persistent_buffers_set
        for module in made.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    )


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
