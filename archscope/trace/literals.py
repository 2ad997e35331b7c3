"""Whole numbers that a model writes out, ``torch.tensor([3, 4], device=x.device)``, stay known.

On the meta device torch makes such a tensor without asking anyone, and its values are gone. So for
the length of a run on shapes they are made on the CPU, where whole numbers of the model's own are
kept (see ``archscope.trace.values``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from archscope.trace.values import LARGEST_REAL

_MAKERS = ((torch, "tensor"), (torch, "as_tensor"), (Tensor, "new_tensor"))


@contextmanager
def whole_numbers_known() -> Iterator[None]:
    """Inside, tensors of whole numbers that are written out have values, wherever they are."""
    own = [(place, name, vars(place).get(name)) for place, name in _MAKERS]
    for place, name, _ in own:
        setattr(place, name, _known(getattr(place, name)))
    try:
        yield
    finally:
        for place, name, original in own:
            if original is None:  # inherited
                delattr(place, name)
            else:
                setattr(place, name, original)


def _known(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(make)
    def made(*args: Any, **kwargs: Any) -> Tensor:
        tensor = make(*args, **kwargs)
        whole = not (tensor.dtype.is_floating_point or tensor.dtype.is_complex)
        if not tensor.is_meta or not whole or tensor.numel() > LARGEST_REAL:
            return tensor
        try:
            return make(*args, **{**kwargs, "device": "cpu"})
        except (NotImplementedError, RuntimeError):  # made of a tensor that has no values
            return tensor

    return made
